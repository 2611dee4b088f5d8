"""Images on the wire: create, list, show, patch, delete, the two actions, tags, and their bytes."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cumulet.core.errors import BadRequest, MethodNotAllowed, UnsupportedMediaType
from cumulet.core.web.body import Body
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Lister
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.lib.ids import new_uuid
from cumulet.services.image.errors import (
    BadRange,
    ImageDeactivated,
    InvalidImage,
    ReadOnly,
    StoreHoldsLast,
    StoreNotFound,
    TagNotFound,
)
from cumulet.services.image.images import data, status
from cumulet.services.image.images.fields import FIELDS, refuse_reserved, with_field, with_properties, with_tags
from cumulet.services.image.images.listing import read_question
from cumulet.services.image.images.locations import locations
from cumulet.services.image.images.locations import without as without_location
from cumulet.services.image.images.operations import change, missing
from cumulet.services.image.images.operations import create as store_image
from cumulet.services.image.images.patch import LOCATIONS, Change, apply, given_locations, read_patch
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.images.sight import ADMIN, find, target
from cumulet.services.image.images.view import show
from cumulet.services.image.imports import locations as whereabouts
from cumulet.services.image.imports.methods import IMPORT_METHODS
from cumulet.services.image.room import Image

_LISTER = Lister(ImageRow)
_JSON = {"content-type": "application/json"}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")
_CHOSEN_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


# ---- the image -----------------------------------------------------------------------------------------------------


async def create(room: Image, call: Call) -> Response:
    wish = dict(call.wish)
    properties: dict[str, Any] = wish.pop("extra")
    for name in properties:
        refuse_reserved(name)
    image_id = wish.pop("id", "") or new_uuid()
    if not _CHOSEN_ID.match(image_id):
        raise InvalidImage(f"Invalid image id {image_id!r}: it must be a UUID with dashes.")
    now = room.clock.now()
    row = ImageRow(image_id, call.caller.project_id, "queued", "shared", now, now, named=False)
    for name, value in wish.items():
        row = with_field(row, name, value)
    row = with_properties(row, properties)
    asked = target(row, call.caller)
    call.allow("add_image", {**asked, "project_id": call.caller.project_id or "-", "owner": row.owner or "-"})
    _allow_visibility(call, row)
    await store_image(room, row)
    shown = bytes(_show(room, call, row))
    headers = {
        "Location": f"{call.base}/images/{row.id}",
        "OpenStack-image-import-methods": ",".join(IMPORT_METHODS),
        "OpenStack-image-store-ids": ",".join(room.stores),
    }
    return Response(201, shown, _JSON | headers)


def _allow_visibility(call: Call, row: ImageRow) -> None:
    """Making an image public, or offering it to all who know its id, needs a right of its own."""
    rule = {"public": "publicize_image", "community": "communitize_image"}.get(row.visibility)
    if rule:
        call.allow(rule, target(row, call.caller))


async def index(room: Image, call: Call) -> dict[str, Any]:
    _refuse_empty_id(call)
    call.allow("get_images", call.own if call.caller.project_id else {})
    question = read_question(call)
    rows: list[ImageRow] = []
    more = False
    if call.request.one("limit") != "0":
        async with room.database.read() as tx:
            rows, more = await _LISTER.page(tx, question, "id")
    marker = rows[-1].id if more else ""
    shown = [_show(room, call, row) for row in rows]
    return call.dialect.page("images", shown, url="/v2/images", query=call.request.query, marker=marker)


async def delete_all(room: Image, call: Call) -> None:
    _refuse_empty_id(call)
    raise MethodNotAllowed("DELETE is not allowed here; use GET, POST.", headers={"Allow": "GET, POST"})


def _refuse_empty_id(call: Call) -> None:
    """`/images/` is an image without an id, not the list; clients rely on its 404."""
    if call.request.path.endswith("/"):
        raise missing("")


async def show_one(room: Image, call: Call) -> Response:
    return _shown(room, call, await find(room, call))


async def update(room: Image, call: Call) -> Response:
    media = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    changes = read_patch(await call.request.body(112 * 1024), media)
    row = await find(room, call, "modify_image")
    moved = [change for change in changes if change.name == LOCATIONS]
    _allow_moves(room, call, row, moved)
    around = await whereabouts.look(room, row, given_locations(moved))

    def patched(row: ImageRow) -> ImageRow:
        call.allow("modify_image", target(row, call.caller))
        after = apply(row, changes, around)
        if after.owner != row.owner and not call.may(ADMIN):
            raise ReadOnly("Owner can't be updated by non admin.")
        if after.visibility != row.visibility:
            _allow_visibility(call, after)
        return after

    after = await change(room, row.id, patched, beside=whereabouts.reading(room, call, row))
    for name in row.store_list:
        if name not in after.store_list and name in room.stores:
            await data.let_go(room.stores[name], row.data_key)
    return _shown(room, call, after)


def _allow_moves(room: Image, call: Call, row: ImageRow, moved: list[Change]) -> None:
    """Changing where an image lies needs rights of its own, and a cloud that shows it."""
    if moved and not room.show_locations:
        raise ReadOnly("It's not allowed to add, replace or remove locations if locations are invisible.")
    for one in moved:
        rule = "delete_image_location" if one.operation == "remove" else "set_image_location"
        call.allow(rule, target(row, call.caller))


async def delete(room: Image, call: Call) -> None:
    row = await find(room, call, "delete_image")
    await change(room, row.id, status.delete)


async def deactivate(room: Image, call: Call) -> None:
    row = await find(room, call, "deactivate")
    await change(room, row.id, status.deactivate)


async def reactivate(room: Image, call: Call) -> None:
    row = await find(room, call, "reactivate")
    await change(room, row.id, status.reactivate)


def _shown(room: Image, call: Call, row: ImageRow) -> Response:
    return Response(200, bytes(_show(room, call, row)), dict(_JSON))


def _show(room: Image, call: Call, row: ImageRow) -> msgspec.Raw:
    return show(room, row, whereabouts=call.may("get_image_location", target(row, call.caller)))


# ---- tags ------------------------------------------------------------------------------------------------------------


async def add_tag(room: Image, call: Call) -> None:
    tag = call.path["tag_value"]
    if len(tag) > 255 or "\x00" in tag:
        raise InvalidImage("A tag has at most 255 characters and no NUL.")
    row = await find(room, call, "modify_image")
    await change(room, row.id, lambda row: with_tags(row, [*row.tag_list, tag]))


async def delete_tag(room: Image, call: Call) -> None:
    tag = call.path["tag_value"]
    row = await find(room, call, "modify_image")

    def without(row: ImageRow) -> ImageRow:
        if tag not in row.tag_list:
            raise TagNotFound(f"Image {row.id} has no tag {tag[:255]!r}.")
        return with_tags(row, [kept for kept in row.tag_list if kept != tag])

    await change(room, row.id, without)


# ---- bytes -----------------------------------------------------------------------------------------------------------


async def upload(room: Image, call: Call) -> None:
    _need_octets(call)
    row = await find(room, call, "upload_image")
    store = call.request.headers.get("x-image-meta-store", "")
    await data.upload(room, row.id, call.request.stream(), store=store, announced=_announced(call))


async def stage(room: Image, call: Call) -> None:
    _need_octets(call)
    row = await find(room, call, "modify_image")
    await data.stage(room, row.id, call.request.stream(), announced=_announced(call))


def _need_octets(call: Call) -> None:
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/octet-stream":
        raise UnsupportedMediaType("Image data is sent with the content type application/octet-stream.")


def _announced(call: Call) -> int | None:
    """How many bytes the client says he sends."""
    for header in ("x-openstack-image-size", "content-length"):
        text = call.request.headers.get(header)
        if text is not None:
            if not (text.isascii() and text.isdigit()) or len(text) > 18:
                raise BadRequest(f"The header {header} must be a number of bytes.")
            return int(text)
    return None


async def download(room: Image, call: Call) -> Response:
    row = await find(room, call, "download_image")
    if row.status == "deactivated" and not call.may(ADMIN):
        raise ImageDeactivated("The requested image has been deactivated. Image data download is forbidden.")
    if not row.has_data:
        return Response(204)
    prefer = (call.request.one("prefer") or "").split(",")
    start, length = read_range(call.request.headers.get("range", ""), row.size)
    headers = {"content-type": "application/octet-stream", "content-length": str(length), "accept-ranges": "bytes"}
    if length == row.size:
        if row.checksum:
            headers["Content-MD5"] = row.checksum
        return Response(200, headers=headers, stream=await data.begun(data.open_bytes(room, row, prefer=prefer)))
    headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{row.size}"
    return Response(206, headers=headers, stream=await data.begun(data.open_bytes(room, row, start, length, prefer)))


def read_range(text: str, size: int) -> tuple[int, int]:
    """(first byte, number of bytes) of a Range header; all without one. Raises BadRange."""
    if not text:
        return 0, size
    form = _RANGE.match(text.strip())
    if not form or not (form[1] or form[2]):
        raise BadRange(f"Invalid range {text[:60]!r}: give one, such as bytes=0-1023.")
    if form[1]:
        start, end = int(form[1]), min(int(form[2] or size), size - 1)
    else:
        start, end = max(size - int(form[2]), 0), size - 1
    if start > end:
        raise BadRange(
            f"The range {text[:60]!r} lies outside the image's {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, end - start + 1


async def delete_from_store(room: Image, call: Call) -> None:
    """Remove one of several copies."""
    name = call.path["store_id"]
    if name not in room.stores and name != room.web_store:
        raise StoreNotFound(f"There is no store {name[:64]!r}.")
    row = await find(room, call, "delete_image_location")
    call.allow("get_image_location", target(row, call.caller))

    def without(row: ImageRow) -> ImageRow:
        lies = locations(row, room.weight)
        gone = [location for location in lies if location.store == name]
        if not gone:
            raise missing(f"{row.id} in store {name}")
        if not row.has_data:
            raise status.refuse_move(row, row.status)
        if len(gone) == len(lies):
            raise StoreHoldsLast(f"Cannot delete the only copy of image {row.id}. Delete the image instead.")
        for location in gone:
            row = without_location(row, location)
        return row

    after = await change(room, row.id, without)
    if name in room.stores:
        await data.let_go(room.stores[name], after.data_key)


def endpoints() -> list[Endpoint]:
    image = "/images/{image_id}"
    return [
        Endpoint("POST", "/images", create, 201, body=Body("", FIELDS, extra=True)),
        Endpoint("GET", "/images", index),
        Endpoint("DELETE", "/images", delete_all),
        Endpoint("GET", image, show_one),
        Endpoint("PATCH", image, update, raw=True),
        Endpoint("DELETE", image, delete, 204),
        Endpoint("POST", image + "/actions/deactivate", deactivate, 204),
        Endpoint("POST", image + "/actions/reactivate", reactivate, 204),
        Endpoint("PUT", image + "/tags/{tag_value}", add_tag, 204),
        Endpoint("DELETE", image + "/tags/{tag_value}", delete_tag, 204),
        Endpoint("PUT", image + "/file", upload, 204, raw=True),
        Endpoint("GET", image + "/file", download),
        Endpoint("PUT", image + "/stage", stage, 204, raw=True),
        Endpoint("DELETE", "/stores/{store_id}/{image_id}", delete_from_store, 204),
    ]
