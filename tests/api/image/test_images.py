"""The life of an image: made, filled, seen, changed, deleted."""

from __future__ import annotations

import hashlib

import pytest

from cumulet.services.image.room import Image
from tests.api.image.making import OCTETS, OLD_PATCH, RAW, active, patch, queued
from tests.support.client import Client
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


async def test_an_image_is_made_filled_seen_downloaded_and_deleted(image: Client) -> None:
    response = await image("POST", "/images", {"name": "disk", "disk_format": "raw", "container_format": "bare"})
    made = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"http://cloud.test/v2/images/{made['id']}"
    assert "glance-direct" in response.headers["openstack-image-import-methods"]
    assert (made["status"], made["visibility"], made["owner"]) == ("queued", "shared", DEMO)
    assert made["size"] is None
    assert made["checksum"] is None
    path = f"/images/{made['id']}"
    assert made["self"] == f"/v2{path}"
    await image.get(f"{path}/file", 204)
    await image.put(f"{path}/file", status=204, content=RAW, headers=OCTETS)
    shown = await image.get(path)
    assert (shown["status"], shown["size"], shown["virtual_size"]) == ("active", 1024, 1024)
    assert shown["checksum"] == hashlib.md5(RAW).hexdigest()
    assert (shown["os_hash_algo"], shown["os_hash_value"]) == ("sha512", hashlib.sha512(RAW).hexdigest())
    assert shown["stores"] == "fast"
    data = await image("GET", f"{path}/file")
    assert (data.status_code, data.content, data.headers["content-length"]) == (200, RAW, "1024")
    assert data.headers["content-md5"] == shown["checksum"]
    await image.delete(path)
    await image.get(path, 404)
    await image.delete(path, 404)
    assert (await image.get("/images"))["images"] == []


async def test_unknown_fields_become_properties(image: Client) -> None:
    made = await queued(image, hw_disk_bus="virtio", os_distro="debian", tags=["b", "a", "b"])
    shown = await image.get(f"/images/{made['id']}")
    assert shown["hw_disk_bus"] == "virtio"
    assert shown["os_distro"] == "debian"
    assert shown["tags"] == ["a", "b"]
    assert [found["id"] for found in (await image.get("/images?os_distro=debian"))["images"]] == [made["id"]]
    assert (await image.get("/images?os_distro=rhel"))["images"] == []


async def test_the_client_may_choose_the_id_once(image: Client) -> None:
    chosen = "0b2a3c4d-1111-2222-3333-444455556666"
    assert (await queued(image, id=chosen))["id"] == chosen
    await image.post("/images", {"id": chosen}, 409)
    await image.post("/images", {"id": "not-a-uuid"}, 400)


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"disk_format": "wrong"}, 400, "disk_format"),
        ({"container_format": "wrong"}, 400, "container_format"),
        ({"visibility": "secret"}, 400, "visibility"),
        ({"min_disk": "5"}, 400, "min_disk"),
        ({"min_ram": -1}, 400, "min_ram"),
        ({"protected": "yes"}, 400, "protected"),
        ({"name": "x" * 256}, 400, "name"),
        ({"colour": 5}, 400, "colour"),
        ({"colour": None}, 400, "colour"),
        ({"tags": [5]}, 400, "tags"),
        ({"status": "active"}, 403, "status"),
        ({"size": 5}, 403, "size"),
        ({"os_glance_foo": "bar"}, 403, "os_glance_foo"),
        ({"visibility": "public"}, 403, "publicize_image"),
        ({"owner": "someone else"}, 403, "add_image"),
        ({f"p{n}": "x" for n in range(129)}, 413, "128"),
        ({"tags": [str(n) for n in range(129)]}, 413, "128"),
    ],
)
async def test_bad_wishes_name_the_field_and_leave_nothing(image: Client, fields: dict, status: int, word: str) -> None:
    response = await image("POST", "/images", fields)
    assert (response.status_code, word in response.text) == (status, True), response.text
    assert (await image.get("/images"))["images"] == []


async def test_a_patch_changes_fields_and_properties(image: Client) -> None:
    image_id = (await queued(image, colour="red", shape="round"))["id"]
    changed = await patch(
        image,
        image_id,
        {"op": "replace", "path": "/name", "value": "other"},
        {"op": "add", "path": "/min_disk", "value": 3},
        {"op": "replace", "path": "/tags", "value": ["new"]},
        {"op": "replace", "path": "/colour", "value": "blue"},
        {"op": "remove", "path": "/shape"},
        {"op": "add", "path": "/a~1b", "value": "slash"},
        {"op": "replace", "path": "/visibility", "value": "private"},
    )
    assert (changed["name"], changed["min_disk"], changed["tags"]) == ("other", 3, ["new"])
    assert (changed["colour"], changed["a/b"], changed["visibility"]) == ("blue", "slash", "private")
    assert "shape" not in changed
    assert await image.get(f"/images/{image_id}") == changed
    assert (await image.get("/images?colour=red"))["images"] == []
    assert len((await image.get("/images?colour=blue&tag=new"))["images"]) == 1


async def test_the_older_dialect_names_the_operation_by_its_key(image: Client) -> None:
    image_id = (await queued(image))["id"]
    changed = await patch(
        image, image_id, {"replace": "/name", "value": "n"}, {"add": "/colour", "value": "red"}, media=OLD_PATCH
    )
    assert (changed["name"], changed["colour"]) == ("n", "red")
    await patch(image, image_id, {"add": "/colour", "value": "blue"}, status=409, media=OLD_PATCH)
    assert "colour" not in await patch(image, image_id, {"remove": "/colour"}, media=OLD_PATCH)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"op": "replace", "path": "/status", "value": "active"}, 403),
        ({"op": "replace", "path": "/id", "value": "x"}, 403),
        ({"op": "remove", "path": "/name"}, 403),
        ({"op": "add", "path": "/os_glance_foo", "value": "x"}, 403),
        ({"op": "add", "path": "/locations/-", "value": {}}, 403),
        ({"op": "replace", "path": "/visibility", "value": "public"}, 403),
        ({"op": "replace", "path": "/owner", "value": "x"}, 403),
        ({"op": "replace", "path": "/absent", "value": "x"}, 409),
        ({"op": "remove", "path": "/absent"}, 409),
        ({"op": "replace", "path": "/min_ram", "value": "x"}, 400),
        ({"op": "add", "path": "/colour", "value": 5}, 400),
        ({"op": "add", "path": "/colour"}, 400),
        ({"op": "test", "path": "/name", "value": "disk"}, 400),
        ({"op": "add", "path": "name", "value": "x"}, 400),
        ({"op": "add", "path": "/a//b", "value": "x"}, 400),
        ({"op": "add", "path": "/a~2", "value": "x"}, 400),
        ({"op": "add", "path": "/a/b", "value": "x"}, 400),
        ({"op": "add", "path": 7, "value": "x"}, 400),
        ("text", 400),
    ],
)
async def test_bad_patches_change_nothing(image: Client, change: dict, status: int) -> None:
    made = await queued(image)
    await patch(image, made["id"], {"op": "replace", "path": "/name", "value": "new"}, change, status=status)
    assert (await image.get(f"/images/{made['id']}"))["name"] == "disk"


async def test_a_patch_needs_its_media_type(image: Client) -> None:
    made = await queued(image)
    await patch(image, made["id"], status=415, media="application/json")
    await image.patch(f"/images/{made['id']}", {}, 400, headers={"content-type": OLD_PATCH})


async def test_a_protected_image_stays(image: Client) -> None:
    image_id = (await queued(image, protected=True))["id"]
    await image.delete(f"/images/{image_id}", 403)
    await patch(image, image_id, {"op": "replace", "path": "/protected", "value": False})
    await image.delete(f"/images/{image_id}")


async def test_formats_stay_once_there_is_data(image: Client) -> None:
    image_id = (await active(image))["id"]
    await patch(image, image_id, {"op": "replace", "path": "/disk_format", "value": "qcow2"}, status=403)


async def test_a_deactivated_image_is_not_given_out(image: Client) -> None:
    path = f"/images/{(await active(image))['id']}"
    await image.post(f"{path}/actions/deactivate", status=204)
    await image.post(f"{path}/actions/deactivate", status=204)
    assert (await image.get(path))["status"] == "deactivated"
    await image.get(f"{path}/file", 403)
    await image.as_("admin").get(f"{path}/file", 200)
    await image.post(f"{path}/actions/reactivate", status=204)
    await image.get(f"{path}/file", 200)
    fresh = await queued(image)
    await image.post(f"/images/{fresh['id']}/actions/deactivate", status=403)


async def test_tags_come_and_go(image: Client) -> None:
    path = f"/images/{(await queued(image))['id']}"
    await image.put(f"{path}/tags/blue", status=204)
    await image.put(f"{path}/tags/blue", status=204)
    await image.put(f"{path}/tags/with%2Fslash", status=204)
    assert (await image.get(path))["tags"] == ["blue", "with/slash"]
    await image.delete(f"{path}/tags/blue")
    await image.delete(f"{path}/tags/blue", 404)
    await image.put(f"{path}/tags/{'x' * 256}", status=400)
    assert (await image.get(path))["tags"] == ["with/slash"]


async def test_a_project_holds_no_more_than_its_quota(image: Client, room: Image) -> None:
    await room.database.write(lambda tx: room.quota.set_limit(tx, DEMO, "image_count_total", 1))
    await room.database.write(lambda tx: room.quota.set_limit(tx, DEMO, "image_size_total", 1))
    made = await queued(image)
    await image.post("/images", {}, 413)
    path = f"/images/{made['id']}"
    await image.put(f"{path}/file", status=413, content=bytes(2 << 20), headers=OCTETS)
    assert (await image.get(path))["status"] == "queued"
    await image.put(f"{path}/file", status=204, content=bytes(1 << 20), headers=OCTETS)
    await image.delete(path)
    async with room.database.read() as tx:
        assert set((await room.quota.usage(tx, DEMO)).values()) == {0}
    await active(image)
