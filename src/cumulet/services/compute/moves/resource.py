"""Moves as the API shows them: migrations of the cloud, and those of one server that are going on."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Kind
from cumulet.contracts.machines import MachineFacts
from cumulet.contracts.moves import Progress
from cumulet.core.errors import BadRequest
from cumulet.core.web.call import Call
from cumulet.core.web.dialects.base import with_marker
from cumulet.core.web.listing import Lister, Question, parse_limit
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.versions import version
from cumulet.lib.clock import iso_micros, parse_iso
from cumulet.lib.ids import is_uuid
from cumulet.lib.numbers import whole
from cumulet.services.compute.errors import MigrationNotFound
from cumulet.services.compute.links import links
from cumulet.services.compute.moves.row import LIVE, MoveRow
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow

ALL = "os_compute_api:os-migrations:index"
ONE = "os_compute_api:servers:migrations:"
PAGED = version("2.59")
_lister = Lister(MoveRow)
_facts = msgspec.json.Decoder(MachineFacts)


def flavor_number(text: str) -> int:
    """The API wants an integer where flavors have names; this one is the same for equal flavors."""
    return int.from_bytes(str(msgspec.json.decode(text)["id"]).encode()[:4], "big") & 0x7FFFFFFF


def shown(call: Call, row: MoveRow, *, hosts: bool) -> dict[str, Any]:
    """Hosts are for administrators."""
    found: dict[str, Any] = {
        "id": row.number,
        "status": row.status,
        "instance_uuid": row.server_id,
        "source_node": row.source if hosts else None,
        "source_compute": row.source if hosts else None,
        "dest_node": row.destination or None if hosts else None,
        "dest_compute": row.destination or None if hosts else None,
        "dest_host": None,
        "old_instance_type_id": flavor_number(row.old_flavor),
        "new_instance_type_id": flavor_number(row.new_flavor),
        "created_at": iso_micros(row.created_at),
        "updated_at": iso_micros(row.updated_at),
    }
    if call.version >= version("2.23"):
        found["migration_type"] = row.kind
        if row.kind == LIVE and row.open:
            found["links"] = links(call, f"servers/{row.server_id}/migrations", str(row.number))
    if call.version >= PAGED:
        found["uuid"] = row.id
    if call.version >= version("2.80"):
        found |= {"user_id": row.user_id, "project_id": row.project_id}
    return found


FILTERS = {
    "status": "status", "source_compute": "source", "migration_type": "kind", "instance_uuid": "server_id",
}  # fmt: skip


def ask(call: Call, *, everyone: bool) -> Question:
    question, request = Question(), call.request
    for name, column in FILTERS.items():
        value = request.one(name)
        if value is not None:
            bound = sa.bindparam(f"by_{name}", type_=sa.String)
            question.where(name, MoveRow.c[column] == bound, {f"by_{name}": value})
    host = request.one("host")
    if host is not None:
        bound = sa.bindparam("by_host", type_=sa.String)
        clause = sa.or_(MoveRow.c.source == bound, MoveRow.c.destination == bound)
        question.where("host", clause, {"by_host": host})
    for name, since in (("user_id", "2.80"), ("project_id", "2.80")):
        value = request.one(name)
        if value is not None and call.version >= version(since):
            bound = sa.bindparam(f"by_{name}", type_=sa.String)
            question.where(name, MoveRow.c[name] == bound, {f"by_{name}": value})
    if not everyone:
        bound = sa.bindparam("own_project", type_=sa.String)
        question.where("own", MoveRow.c.project_id == bound, {"own_project": call.caller.project_id})
    for name, since in (("changes-since", "2.59"), ("changes-before", "2.66")):
        value = request.one(name)
        if value and call.version >= version(since):
            add_moment(question, name, value)
    question.sort = [("created_at", "desc"), ("id", "desc")]
    if call.version >= PAGED:
        question.limit, question.marker = parse_limit(request.one("limit"), 1000), request.one("marker") or ""
    else:
        question.limit = 1000
    return question


def add_moment(question: Question, name: str, value: str) -> None:
    try:
        moment = parse_iso(value.replace(" ", "+"))
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"Invalid input for query parameter {name}: {value[:60]!r} is not a date-time") from error
    bound = sa.bindparam(name.replace("-", "_"), type_=sa.BigInteger)
    column = MoveRow.c.updated_at
    question.where(name, column >= bound if name == "changes-since" else column <= bound, {bound.key: moment})


async def index(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(ALL)
    everyone, hosts = call.may(ALL + ":all_projects"), call.may(ALL + ":host")
    async with room.database.read() as tx:
        rows, more = await _lister.page(tx, ask(call, everyone=everyone), "id")
    body: dict[str, Any] = {"migrations": [shown(call, row, hosts=hosts) for row in rows]}
    if more and rows and call.version >= PAGED:
        href = with_marker(f"{call.base}/os-migrations", call.request.query, rows[-1].id)
        body["migrations_links"] = [{"rel": "next", "href": href}]
    return body


# ---- of one server ----------------------------------------------------------------------------------------------


def shown_of_server(call: Call, row: MoveRow, progress: Progress | None, *, hosts: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": row.number,
        "status": row.status,
        "server_uuid": row.server_id,
        "source_node": row.source if hosts else None,
        "source_compute": row.source if hosts else None,
        "dest_node": row.destination or None if hosts else None,
        "dest_compute": row.destination or None if hosts else None,
        "dest_host": None,
        "created_at": iso_micros(row.created_at),
        "updated_at": iso_micros(row.updated_at),
    }
    for what in Progress.__struct_fields__:
        found[f"{what}_bytes"] = getattr(progress, what) if progress else None
    if call.version >= PAGED:
        found["uuid"] = row.id
    if call.version >= version("2.80"):
        found |= {"user_id": row.user_id, "project_id": row.project_id}
    return found


async def going_on(room: Compute, row: ServerRow) -> list[MoveRow]:
    """The live migrations of a server that have not ended."""
    async with room.database.read() as tx:
        return await tx.find(MoveRow, server_id=row.id, kind=LIVE, open="open")


@servers.item("GET", ONE + "index", suffix="/migrations", since="2.23")
async def index_of_server(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    progress, hosts = await progress_of(room, row), call.may(ONE + "index:host")
    return {"migrations": [shown_of_server(call, move, progress, hosts=hosts) for move in await going_on(room, row)]}


async def one(room: Compute, call: Call, row: ServerRow) -> MoveRow:
    """A live migration of a server, by its number or UUID, whether it has ended or not. Raises MigrationNotFound."""
    key, move = call.path["migration_id"], None
    async with room.database.read() as tx:
        if is_uuid(key):
            move = await tx.get(MoveRow, id=key)
        else:
            with suppress(ValueError):
                move = await tx.get(MoveRow, number=whole(key))
    if move is None or move.server_id != row.id:
        raise MigrationNotFound(f"Migration {key[:64]} not found for server {row.id}.")
    if move.kind != LIVE:
        raise MigrationNotFound(f"Migration {key} for server {row.id} is not live-migration.")
    return move


@servers.item("GET", ONE + "show", suffix="/migrations/{migration_id}", since="2.23")
async def show_of_server(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    move, progress = await one(room, call, row), await progress_of(room, row)
    if not move.open:
        raise MigrationNotFound(f"Migration {move.number} for server {row.id} is not in progress.")
    return {"migration": shown_of_server(call, move, progress, hosts=True)}


async def progress_of(room: Compute, row: ServerRow) -> Progress | None:
    """How much of a server has left its host, as the host last said."""
    for held in await room.fleet.held(Kind.MACHINE, row.id):
        facts = _facts.decode(held.facts) if held.node == row.host and len(held.facts) > 2 else None
        if facts is not None and facts.move is not None:
            return facts.move.progress
    return None


ROUTES = (Endpoint("GET", "/os-migrations", index, name="migrations"),)
