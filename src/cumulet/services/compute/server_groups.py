"""Server groups: servers that should share a host, or must not."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Duplicate, Instant, Json, Name, Query, Ref, Row, Short, Transaction, stored
from cumulet.core.errors import BadRequest, Conflict, Forbidden
from cumulet.core.room import Room
from cumulet.core.web.body import NEVER, OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import ask, parse_limit
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.view import raw
from cumulet.core.web.wire import Enum, Int, ListOf, Obj, StrictInt, Text
from cumulet.core.web.wire import Name as NameText
from cumulet.lib.ids import new_uuid
from cumulet.services.compute.errors import ServerGroupNotFound
from cumulet.services.compute.room import Compute

RULE = "os_compute_api:os-server-groups:"


@stored("compute_server_groups", sa.Index("compute_server_groups_project", "project_id", "created_at"))
class ServerGroupRow(Row):
    """A group and its one policy. Members are the rows of the servers' table that name it."""

    id: Annotated[str, sa.String(36), PRIMARY]
    project_id: Ref
    user_id: Ref
    name: Name
    policy: Short
    max_per_host: int
    members: Json
    """Ids of its servers, for its view."""
    created_at: Instant


@stored("compute_group_members", sa.Index("compute_group_members_server", "server_id", unique=True))
class MemberRow(Row):
    """A server of a group; a server is in one at most."""

    group_id: Annotated[str, sa.String(36), PRIMARY]
    server_id: Annotated[str, sa.String(36), PRIMARY]


Policies = ListOf(Enum("anti-affinity", "affinity"), most=1, least=1)
SoftPolicies = ListOf(Enum("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity"), most=1, least=1)
Policy = Enum("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")

groups = Resource(
    path="/os-server-groups",
    one="server_group",
    many="server_groups",
    row=ServerGroupRow,
    key="group_id",
    missing=ServerGroupNotFound,
    fields=[
        Field("id", Text()),
        Field("name", NameText, create=REQUIRED),
        Field("policies", Policies, create=REQUIRED, until="2.14", source=lambda row, call: [row.policy]),
        Field("policies", SoftPolicies, create=REQUIRED, since="2.15", until="2.63",
              source=lambda row, call: [row.policy]),
        Field("policy", Policy, create=REQUIRED, since="2.64"),
        Field("rules", Obj(Field("max_server_per_host", Int(1), create=OPTIONAL)), create=OPTIONAL, since="2.64",
              source=lambda row, call: {"max_server_per_host": row.max_per_host} if row.max_per_host else {}),
        Field("members", StrictInt(), create=NEVER, source=raw("members")),
        Field("metadata", StrictInt(), source=lambda row, call: {}, until="2.63"),
        Field("project_id", Text(), since="2.13"),
        Field("user_id", Text(), since="2.13"),
    ],
)  # fmt: skip


@groups.create(RULE + "create", status=200)
async def create(room: Compute, call: Call) -> ServerGroupRow:
    wish = call.wish
    policy = wish.get("policy") or wish["policies"][0]
    most = (wish.get("rules") or {}).get("max_server_per_host", 0)
    if most and policy != "anti-affinity":
        raise BadRequest("Only anti-affinity policy supports rules.")
    caller = call.caller
    row = ServerGroupRow(
        new_uuid(), caller.project_id, caller.user_id, wish["name"], policy, most, "[]", room.clock.now()
    )

    await room.quota.learn(row.project_id)

    async def write(tx: Transaction) -> None:
        await room.quota.take(tx, row.project_id, server_groups=1)
        await tx.insert(row)

    await room.database.write(write)
    return row


@groups.list(RULE + "index")
async def index(room: Compute, call: Call) -> dict[str, Any]:
    question = ask(groups.listing, ServerGroupRow, call)
    request = call.request
    question.sort = [("created_at", "asc"), ("id", "asc")]
    everyone = request.one("all_projects") is not None and call.may(RULE + "index:all_projects")
    if request.one("all_projects") is not None and not everyone and "admin" in call.caller.roles:
        raise Forbidden("Listing the groups of all projects is not allowed to you.")
    if not everyone:
        question.where(
            "own", ServerGroupRow.c.project_id == sa.bindparam("caller_project"),
            {"caller_project": call.caller.project_id},
        )  # fmt: skip
    question.limit, offset = parse_limit(request.one("limit"), 1000), parse_limit(request.one("offset") or "0", 10**6)
    skipped = offset if request.one("offset") not in (None, "", "0") else 0
    size, question.limit = question.limit, question.limit + skipped
    async with room.database.read() as tx:
        rows, _ = await groups.lister.page(tx, question, "id")
    return groups.present_list(call, Listed(rows[skipped : skipped + size]))


@groups.show(RULE + "show")
async def show(room: Compute, call: Call, row: ServerGroupRow) -> ServerGroupRow:
    return row


@groups.delete(RULE + "delete")
async def delete(room: Compute, call: Call, row: ServerGroupRow) -> None:
    async def write(tx: Transaction) -> None:
        await tx.delete(MemberRow, group_id=row.id)
        if await tx.delete(ServerGroupRow, id=row.id):
            await room.quota.give_back(tx, row.project_id, server_groups=1)

    await room.database.write(write)


_count = Query(
    sa.select(sa.func.count()).select_from(MemberRow.table).where(MemberRow.c.group_id == sa.bindparam("group"))
)


async def join(tx: Transaction, room: Compute, group_id: str, server_ids: list[str]) -> None:
    """Make servers members of a group, within the quota of members. Raises BadRequest, Forbidden."""
    row = await tx.get(ServerGroupRow, id=group_id)
    if row is None:
        raise BadRequest(f"Server group {group_id} could not be found.")
    limit = (await room.quota.limits(tx, row.project_id))["server_group_members"]
    if 0 <= limit < int(await tx.scalar(_count, {"group": group_id})) + len(server_ids):
        raise Forbidden(f"Quota exceeded, too many servers in group. At most {limit} may be in one.")
    try:
        await tx.insert_all([MemberRow(group_id, server_id) for server_id in server_ids])
    except Duplicate as taken:
        raise Conflict("The server is in a group already.") from taken
    await _remember(tx, group_id)


async def leave(tx: Transaction, group_id: str, server_id: str) -> None:
    await tx.delete(MemberRow, group_id=group_id, server_id=server_id)
    await _remember(tx, group_id)


async def _remember(tx: Transaction, group_id: str) -> None:
    members = [row.server_id for row in await tx.find(MemberRow, group_id=group_id, order_by="server_id")]
    await tx.update(ServerGroupRow, {"id": group_id}, members=msgspec.json.encode(members).decode())


async def group_of(room: Room, group_id: str) -> tuple[ServerGroupRow, frozenset[str]] | None:
    """A group and the ids of its members."""
    async with room.database.read() as tx:
        row = await tx.get(ServerGroupRow, id=group_id)
        members = await tx.find(MemberRow, group_id=group_id)
    return (row, frozenset(member.server_id for member in members)) if row else None
