"""What does a client see of groups, and what may it do with them?"""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing
from cumulet.core.web.resource import Endpoint, Listed, Resource
from cumulet.core.web.versions import version
from cumulet.core.web.view import or_null, raw, written
from cumulet.core.web.wire import Bool, Enum, ListOf, Obj, Text, Uuid, Wire
from cumulet.lib.clock import iso_micros
from cumulet.services.block_storage.asking import flag, page_of
from cumulet.services.block_storage.errors import GroupNotFound, InvalidGroupType
from cumulet.services.block_storage.groups import operations
from cumulet.services.block_storage.groups.rows import GroupRow
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes.row import VolumeRow

RULE = "group:"
SINCE = "3.13"
_Ids = Text(8192)

groups = Resource(
    path="/groups",
    one="group",
    many="groups",
    row=GroupRow,
    missing=GroupNotFound,
    fields=[
        Field("id", Uuid, brief=True),
        Field("name", Text().or_null(), create=OPTIONAL, update=OPTIONAL, brief=True),
        Field("description", Text().or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("description")),
        Field("group_type", Text(255, 1), create=REQUIRED, source="group_type_id"),
        Field("volume_types", ListOf(Text(255, 1), least=1, most=64), create=REQUIRED, source=raw("volume_types")),
        Field("availability_zone", Text().or_null(), create=OPTIONAL),
        Field("add_volumes", _Ids.or_null(), update=OPTIONAL, source=""),
        Field("remove_volumes", _Ids.or_null(), update=OPTIONAL, source=""),
        Field("status", Text(), source=lambda row, call: row.forced_status or "available"),
        Field("created_at", Text(), source=written("created_at", iso_micros)),
        Field("group_snapshot_id", Text(), source=or_null("group_snapshot_id"), since="3.14"),
        Field("source_group_id", Text(), source=or_null("source_group_id"), since="3.14"),
        Field("replication_status", Text(), source=lambda row, call: "disabled", since="3.38"),
        Field("project_id", Text(), since="3.58", rule="group:group_project_attribute"),
    ],
    listing=Listing(
        filters=[Filter("id"), Filter("name")],
        sorts={name: name for name in ("id", "name", "created_at")},
        all_projects="all_tenants",
    ),
)


@groups.create(RULE + "create", status=202, since=SINCE)
async def create(room: BlockStorage, call: Call) -> dict[str, Any]:
    row = await operations.make(room, call.caller, call.wish)
    return _made(row)


def _made(row: GroupRow) -> dict[str, Any]:
    return {"group": {"id": row.id, "name": row.name}}


@groups.list(RULE + "get_all", since=SINCE)
async def index(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, groups, GroupRow, brief=True, counted=False)


@groups.list(RULE + "get_all", suffix="/detail", since=SINCE)
async def detail(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, groups, GroupRow, brief=False, counted=False)


@groups.show(RULE + "get", since=SINCE)
async def show(room: BlockStorage, call: Call, row: GroupRow) -> dict[str, Any]:
    shown = groups.show_row(call, row)
    if call.version >= version("3.25") and flag(call, "list_volume"):
        async with room.database.read() as tx:
            shown["volumes"] = [volume.id for volume in await tx.find(VolumeRow, group_id=row.id, wanted=True)]
    return {"group": shown}


@groups.update(RULE + "update", status=202, since=SINCE)
async def update(room: BlockStorage, call: Call, row: GroupRow) -> None:
    wish = call.wish
    given: dict[str, str] = {name: wish[name] or "" for name in ("name", "description") if name in wish}
    add, drop = (listed(wish.get(name)) for name in ("add_volumes", "remove_volumes"))
    if not (given or add or drop):
        raise BadRequest("At least one of name, description, add_volumes or remove_volumes must be given.")
    await operations.update(room, row, given, add, drop)


def listed(text: str | None) -> list[str]:
    return [one.strip() for one in (text or "").split(",") if one.strip()]


@groups.action("delete", RULE + "delete", Field("delete-volumes", Bool, create=OPTIONAL), since=SINCE)
async def delete(room: BlockStorage, call: Call, row: GroupRow) -> None:
    await operations.delete(room, row, volumes_too=call.wish.get("delete-volumes", False))


_STATUSES = ("available", "creating", "deleting", "error", "error_deleting", "updating", "in-use")


@groups.action("reset_status", RULE + "reset_status", Field("status", Enum(*_STATUSES), create=REQUIRED), since="3.20")
async def reset_status(room: BlockStorage, call: Call, row: GroupRow) -> None:
    status = call.wish["status"]
    forced = "" if status == "available" else status
    await room.database.write(lambda tx: tx.update(GroupRow, {"id": row.id}, forced_status=forced))


# ---- replication ------------------------------------------------------------------------------------------------

_Nothing = Obj()
_Failover = Obj(
    Field("allow_attached_volume", Bool, create=OPTIONAL),
    Field("secondary_backend_id", Text().or_null(), create=OPTIONAL),
)
_REPLICATION = {
    "enable_replication": _Nothing,
    "disable_replication": _Nothing,
    "failover_replication": _Failover,
    "list_replication_targets": _Nothing,
}


def _declare(verb: str, kind: Wire) -> None:
    @groups.action(verb, RULE + verb, kind=kind, since="3.38")
    async def refuse(room: BlockStorage, call: Call, row: GroupRow) -> None:
        """No backend here copies its volumes elsewhere, so no group is of a type that asks for that."""
        raise InvalidGroupType(f"Group {row.id} is not a replication group type.")


for _verb, _kind in _REPLICATION.items():
    _declare(_verb, _kind)


_Source = Body(
    "create-from-src",
    (
        Field("name", Text().or_null(), create=OPTIONAL),
        Field("description", Text().or_null(), create=OPTIONAL),
        Field("group_snapshot_id", Uuid.or_null(), create=OPTIONAL),
        Field("source_group_id", Uuid.or_null(), create=OPTIONAL),
    ),
)


async def create_from_source(room: BlockStorage, call: Call) -> dict[str, Any]:
    """A group whose volumes are made of those of another group, or of a snapshot of one."""
    call.allow(RULE + "create")
    return _made(await operations.make_from(room, call.caller, call.wish))


ROUTES = (
    Endpoint("POST", "/groups/action", create_from_source, 202, since="3.14", body=_Source, name="group_from_source"),
)
