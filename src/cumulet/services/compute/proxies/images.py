"""Images, as compute showed them until 2.35, and their metadata until 2.38."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cumulet.core.errors import BadRequest
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import parse_limit
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Metadata
from cumulet.lib.clock import parse_iso
from cumulet.services.compute.links import bookmark, links
from cumulet.services.compute.proxies.passing import LAST, ask, missing, named
from cumulet.services.compute.room import Compute

PATCH = "application/openstack-images-v2.1-json-patch"
IMAGES = "/images"
LAST_METADATA = "2.38"
STATUS = {
    "queued": ("SAVING", 25),
    "saving": ("SAVING", 50),
    "uploading": ("SAVING", 50),
    "importing": ("SAVING", 50),
    "active": ("ACTIVE", 100),
    "deactivated": ("ACTIVE", 100),
    "pending_delete": ("DELETED", 0),
    "deleted": ("DELETED", 0),
}
"""What image calls a state, and what it was called here, with how far it is."""
FILTERS = {
    "name": "name",
    "minRam": "min_ram",
    "minDisk": "min_disk",
    "type": "image_type",
    "marker": "marker",
}
OWN = frozenset(
    {
        "id", "name", "status", "visibility", "protected", "owner", "size", "virtual_size", "disk_format", "checksum",
        "container_format", "min_disk", "min_ram", "created_at", "updated_at", "tags", "self", "file", "schema",
        "os_hidden", "os_hash_algo", "os_hash_value", "stores", "locations", "direct_url", "hardware_type",
    }
)  # fmt: skip
"""Fields of an image; whatever else it shows is metadata."""

Meta = Body("", (Field("meta", Metadata, create=REQUIRED),))
All = Body("", (Field("metadata", Metadata, create=REQUIRED),))


def metadata_of(image: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in image.items() if name not in OWN and isinstance(value, str)}


def brief(call: Call, image: dict[str, Any]) -> dict[str, Any]:
    cloud = call.base.rpartition("/")[0].rpartition("/")[0]
    elsewhere = {"rel": "alternate", "type": "application/vnd.openstack.image"}
    return {
        "id": image["id"],
        "name": image["name"],
        "links": [*links(call, "images", image["id"]), elsewhere | {"href": f"{cloud}/image/images/{image['id']}"}],
    }


def shown(call: Call, image: dict[str, Any]) -> dict[str, Any]:
    status, progress = STATUS.get(image["status"], ("ERROR", 0))
    metadata = metadata_of(image)
    found = brief(call, image) | {
        "status": status,
        "progress": progress,
        "created": image["created_at"],
        "updated": image["updated_at"],
        "minDisk": image["min_disk"],
        "minRam": image["min_ram"],
        "metadata": metadata,
        "OS-EXT-IMG-SIZE:size": image["size"] or 0,
    }
    server = metadata.get("instance_uuid")
    if server:
        found["server"] = {"id": server, "links": bookmark(call, "servers", server)}
    return found


def question(call: Call) -> list[tuple[str, str]]:
    """A list's filters in image's words. Raises BadRequest."""
    asked: list[tuple[str, str]] = []
    for name, value in call.request.query:
        if name in FILTERS:
            asked.append((FILTERS[name], value))
        elif name == "status":
            theirs = [word for word, (ours, _) in STATUS.items() if ours == value.upper() and "delete" not in word]
            asked.append(("status", f"in:{','.join(theirs)}" if len(theirs) > 1 else theirs[0] if theirs else value))
        elif name == "server":
            asked.append(("instance_uuid", value.rstrip("/").rpartition("/")[2]))
        elif name.startswith("property-"):
            asked.append((name.removeprefix("property-"), value))
        elif name == "changes-since":
            asked.append(("updated_at", f"gte:{_instant(value)}"))
    return asked


def _instant(given: str) -> str:
    try:
        return datetime.fromtimestamp(parse_iso(given) // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as error:
        raise BadRequest(f"Invalid changes-since value: {given[:60]!r}") from error


async def page(room: Compute, call: Call) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """A page of images, and the link to the next one."""
    limit = parse_limit(call.request.one("limit"), 1000)
    query = [*question(call), ("limit", str(limit + 1))]
    found: list[dict[str, Any]] = (await ask(room.images.api, call, "GET", IMAGES, query=query))["images"]
    if len(found) <= limit or not limit:
        return found[:limit], []
    return found[:limit], call.dialect.page(
        "images", [], url=call.base + "/images", query=call.request.query, marker=found[limit - 1]["id"]
    )["images_links"]


async def index(room: Compute, call: Call) -> dict[str, Any]:
    found, following = await page(room, call)
    return {"images": [brief(call, image) for image in found]} | ({"images_links": following} if following else {})


async def detail(room: Compute, call: Call) -> dict[str, Any]:
    found, following = await page(room, call)
    return {"images": [shown(call, image) for image in found]} | ({"images_links": following} if following else {})


async def the(room: Compute, call: Call) -> dict[str, Any]:
    image: dict[str, Any] = await ask(room.images.api, call, "GET", f"{IMAGES}/{named(call)}")
    return image


async def show(room: Compute, call: Call) -> dict[str, Any]:
    return {"image": shown(call, await the(room, call))}


async def delete(room: Compute, call: Call) -> None:
    await ask(room.images.api, call, "DELETE", f"{IMAGES}/{named(call)}")


# ---- metadata ----------------------------------------------------------------------------------------------------


async def change(room: Compute, call: Call, wanted: dict[str, str]) -> dict[str, str]:
    """Bring an image's metadata to just this."""
    had = metadata_of(await the(room, call))
    steps: list[dict[str, str]] = [{"op": "remove", "path": f"/{_pointer(key)}"} for key in had if key not in wanted]
    steps += [
        {"op": "replace" if key in had else "add", "path": f"/{_pointer(key)}", "value": value}
        for key, value in wanted.items()
        if had.get(key) != value
    ]
    if not steps:
        return had
    if any(key in OWN for key in wanted):
        raise BadRequest("Fields of an image are no metadata: " + ", ".join(sorted(OWN & set(wanted))))
    await ask(room.images.api, call, "PATCH", f"{IMAGES}/{named(call)}", steps, content_type=PATCH)
    return metadata_of(await the(room, call))


def _pointer(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


async def show_metadata(room: Compute, call: Call) -> dict[str, Any]:
    return {"metadata": metadata_of(await the(room, call))}


async def add_metadata(room: Compute, call: Call) -> dict[str, Any]:
    had = metadata_of(await the(room, call))
    return {"metadata": await change(room, call, had | call.wish["metadata"])}


async def set_metadata(room: Compute, call: Call) -> dict[str, Any]:
    return {"metadata": await change(room, call, call.wish["metadata"])}


async def _item(room: Compute, call: Call) -> tuple[str, dict[str, str]]:
    key, had = call.path["key"], metadata_of(await the(room, call))
    if key not in had:
        raise missing("Metadata item", key)
    return key, had


async def show_item(room: Compute, call: Call) -> dict[str, Any]:
    key, had = await _item(room, call)
    return {"meta": {key: had[key]}}


async def set_item(room: Compute, call: Call) -> dict[str, Any]:
    key, meta = call.path["key"], call.wish["meta"]
    if list(meta) != [key]:
        raise BadRequest("The body must hold the one item that the URL names.")
    await change(room, call, metadata_of(await the(room, call)) | meta)
    return {"meta": meta}


async def delete_item(room: Compute, call: Call) -> None:
    key, had = await _item(room, call)
    await change(room, call, {name: value for name, value in had.items() if name != key})


ONE, METADATA, ITEM = "/images/{id}", "/images/{id}/metadata", "/images/{id}/metadata/{key}"
ROUTES = (
    Endpoint("GET", IMAGES, index, until=LAST, name="images"),
    Endpoint("GET", "/images/detail", detail, until=LAST, name="images_in_detail"),
    Endpoint("GET", ONE, show, until=LAST, name="image"),
    Endpoint("DELETE", ONE, delete, 204, until=LAST, name="delete_image"),
    Endpoint("GET", METADATA, show_metadata, until=LAST_METADATA, name="image_metadata"),
    Endpoint("POST", METADATA, add_metadata, until=LAST_METADATA, body=All, name="add_image_metadata"),
    Endpoint("PUT", METADATA, set_metadata, until=LAST_METADATA, body=All, name="set_image_metadata"),
    Endpoint("GET", ITEM, show_item, until=LAST_METADATA, name="image_metadata_item"),
    Endpoint("PUT", ITEM, set_item, until=LAST_METADATA, body=Meta, name="set_image_metadata_item"),
    Endpoint("DELETE", ITEM, delete_item, 204, until=LAST_METADATA, name="delete_image_metadata_item"),
)
