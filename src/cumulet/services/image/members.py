"""Members: the projects with which an image is shared, and whether they want to see it in their lists."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import NEVER, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.view import View, written
from cumulet.core.web.wire import Enum, Text
from cumulet.lib.clock import iso_seconds
from cumulet.services.image.errors import LimitExceeded, MemberExists, MemberNotFound, NotShared
from cumulet.services.image.images.row import ImageRow, MemberRow
from cumulet.services.image.images.sight import ADMIN, look, target
from cumulet.services.image.room import Image

MOST_MEMBERS = 128

FIELDS = (
    Field("member", Text(255, 1), create=REQUIRED, source=""),
    Field("member_id", Text(255), create=NEVER),
    Field("image_id", Text(64)),
    Field("status", Enum("pending", "accepted", "rejected"), update=REQUIRED),
    Field("created_at", Text(), source=written("created_at", iso_seconds)),
    Field("updated_at", Text(), source=written("updated_at", iso_seconds)),
    Field("schema", Text(), source=lambda row, call: "/v2/schemas/member"),
)
_VIEW = View(FIELDS)


async def create(room: Image, call: Call) -> dict[str, Any]:
    image = await _shared_image(room, call)
    call.allow("add_member", target(image, call.caller))
    now = room.clock.now()
    row = MemberRow(image.id, call.wish["member"], "pending", now, now)

    async def write(tx: Transaction) -> None:
        if await tx.count(MemberRow, image_id=image.id) >= MOST_MEMBERS:
            raise LimitExceeded(
                f"The limit has been exceeded on the number of allowed image members for this image: {MOST_MEMBERS}."
            )
        await tx.insert(row)
        tx.wake("image", image.id)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise MemberExists(f"Member {row.member_id} is duplicated for image {image.id}") from taken
    return _show(call, row)


async def index(room: Image, call: Call) -> dict[str, Any]:
    image = await _shared_image(room, call)
    call.allow("get_members", target(image, call.caller))
    async with room.database.read() as tx:
        rows = await tx.find(MemberRow, order_by="created_at", limit=1000, image_id=image.id)
    shown = [_show(call, row) for row in rows if _may_see(call, image, row.member_id)]
    return {"members": shown, "schema": "/v2/schemas/members"}


async def show(room: Image, call: Call) -> dict[str, Any]:
    image, row = await _find(room, call)
    call.allow("get_member", _member_target(image, row))
    return _show(call, row)


async def update(room: Image, call: Call) -> dict[str, Any]:
    image, row = await _find(room, call)
    call.allow("modify_member", _member_target(image, row))
    row = msgspec.structs.replace(row, status=call.wish["status"], updated_at=room.clock.now())

    async def write(tx: Transaction) -> None:
        where = {"image_id": row.image_id, "member_id": row.member_id}
        if not await tx.update(MemberRow, where, status=row.status, updated_at=row.updated_at):
            raise _missing(row.member_id)

    await room.database.write(write)
    return _show(call, row)


async def delete(room: Image, call: Call) -> None:
    image, row = await _find(room, call)
    call.allow("delete_member", target(image, call.caller))

    async def write(tx: Transaction) -> None:
        if not await tx.delete(MemberRow, image_id=row.image_id, member_id=row.member_id):
            raise _missing(row.member_id)
        tx.wake("image", image.id)

    await room.database.write(write)


async def _shared_image(room: Image, call: Call) -> ImageRow:
    """The image that the path names, if the caller sees it and it is one that can have members."""
    image = await look(room, call.caller, call.path["image_id"], sees_all=call.may(ADMIN))
    if image.visibility != "shared":
        raise NotShared("Only shared images have members.")
    return image


async def _find(room: Image, call: Call) -> tuple[ImageRow, MemberRow]:
    image = await _shared_image(room, call)
    member_id = call.path["member_id"]
    row = None
    if len(member_id) <= 255 and "\x00" not in member_id and _may_see(call, image, member_id):
        async with room.database.read() as tx:
            row = await tx.get(MemberRow, image_id=image.id, member_id=member_id)
    if row is None:
        raise _missing(member_id)
    return image, row


def _may_see(call: Call, image: ImageRow, member_id: str) -> bool:
    """A member knows of himself only; the owner of all."""
    return call.caller.project_id in (image.owner, member_id) or call.may(ADMIN)


def _member_target(image: ImageRow, row: MemberRow) -> dict[str, object]:
    asked: dict[str, object] = {"member_id": row.member_id, "visibility": image.visibility}
    return asked | ({"project_id": image.owner} if image.owner else {})


def _missing(member_id: str) -> MemberNotFound:
    return MemberNotFound(f"Image member {member_id[:64]} could not be found.")


def _show(call: Call, row: MemberRow) -> dict[str, Any]:
    return _VIEW.render(call)(row, call)


def endpoints() -> list[Endpoint]:
    members = "/images/{image_id}/members"
    return [
        Endpoint("POST", members, create, 200, body=Body("", FIELDS)),
        Endpoint("GET", members, index),
        Endpoint("GET", members + "/{member_id}", show),
        Endpoint("PUT", members + "/{member_id}", update, body=Body("", FIELDS, verb="update")),
        Endpoint("DELETE", members + "/{member_id}", delete, 204),
    ]
