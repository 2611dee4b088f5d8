"""Who sees which image, and what rules may ask about one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.access.caller import Caller
from cumulet.core.web.call import Call
from cumulet.services.image.images.operations import missing
from cumulet.services.image.images.row import ImageRow, MemberRow
from cumulet.services.image.room import Image

ADMIN = "context_is_admin"


def target(row: ImageRow, caller: Caller) -> dict[str, object]:
    """What a rule may ask about an image. An image without an owner has no project that could equal the caller's."""
    asked: dict[str, object] = {"visibility": row.visibility, "image_id": row.id}
    if row.owner:
        asked |= {"project_id": row.owner, "owner": row.owner}
    if row.visibility == "shared" and row.owner != caller.project_id:
        asked["member_id"] = caller.project_id  # who sees another's shared image is a member of it
    return asked


async def find(room: Image, call: Call, rule: str = "get_image") -> ImageRow:
    """The image that the path names, if the caller sees it (else 404) and the rule allows him this (else 403)."""
    row = await look(room, call.caller, call.path["image_id"], sees_all=call.may(ADMIN))
    call.allow(rule, target(row, call.caller))
    return row


async def look(room: Image, caller: Caller, image_id: str, *, sees_all: bool) -> ImageRow:
    """The image of this id among those a caller sees. Raises ImageNotFound."""
    if len(image_id) > 64 or "\x00" in image_id:
        raise missing(image_id)
    async with room.database.read() as tx:
        row = await tx.get(ImageRow, id=image_id)
        if row is None or row.status == "deleted":
            raise missing(image_id)
        if sees_all or row.visibility in ("public", "community") or (row.owner and row.owner == caller.project_id):
            return row
        if row.visibility == "shared" and caller.project_id:
            member = await tx.get(MemberRow, image_id=image_id, member_id=caller.project_id)
            if member is not None:
                return row
    raise missing(image_id)


def lists(*, sees_all: bool, has_project: bool, visibility: str, member_status: str) -> sa.ColumnElement[bool] | None:
    """The predicate of the images in a caller's list; None: all. It may use :caller_project and :member_status."""
    columns = ImageRow.c
    own = columns.owner == sa.bindparam("caller_project", type_=sa.String)
    if sees_all:
        if visibility:
            return None
        return sa.or_(own, columns.visibility != "community") if has_project else columns.visibility != "community"
    arms: list[sa.ColumnElement[bool]] = [columns.visibility == "public"]
    if visibility in ("community", "all"):
        arms.append(columns.visibility == "community")
    if has_project:
        arms += [own, sa.and_(columns.visibility == "shared", columns.id.in_(_shared_with_caller(member_status)))]
    return sa.or_(*arms)


def _shared_with_caller(member_status: str) -> Any:
    members = MemberRow.c
    chosen = sa.select(members.image_id).where(members.member_id == sa.bindparam("caller_project", type_=sa.String))
    if member_status != "all":
        chosen = chosen.where(members.status == sa.bindparam("member_status", type_=sa.String))
    return chosen
