"""The verbs of live moves: begin one, call it off, bring it to its end at once."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Anything, Bool, Text, Wire, parse_bool
from cumulet.services.compute.history import finish_action
from cumulet.services.compute.moves.begin import move, other_host
from cumulet.services.compute.moves.live import ABORT, FORCE
from cumulet.services.compute.moves.resource import ONE, one
from cumulet.services.compute.moves.row import LIVE, MoveRow
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.actions import API, given
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.operations import VERBS, act, check
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow

ANY_MOMENT = version("2.65")
"""Since then also a move can be called off that waits or prepares itself."""


def _block_migration(value: Any) -> bool | str:
    return value if value == "auto" else parse_bool(value)


@servers.action(
    "os-migrateLive",
    API + "os-migrate-server:migrate_live",
    given("host", Text(255, 1).or_null(), REQUIRED),
    given("block_migration", Bool, until="2.24"),
    given("block_migration", Wire(bool | int | str, _block_migration), since="2.25"),
    given("disk_over_commit", Bool, until="2.24"),
    given("force", Bool, OPTIONAL, since="2.30", until="2.67"),
)
async def migrate_live(room: Compute, call: Call, row: ServerRow) -> None:
    check(call, row, VERBS["os-migrateLive"])
    host, forced = call.wish.get("host") or "", bool(call.wish.get("force"))
    if host:
        await other_host(room, call, row, host, API + "os-migrate-server:migrate_live:host")
    elif forced:
        raise BadRequest("Can't force to a non-provided destination")
    if call.wish["block_migration"] is False and keeps_disk_here(row):
        raise BadRequest(
            f"Migration pre-check error: {row.host} is not on shared storage: Live migration can not be used without "
            "shared storage except a booted from volume VM which does not have a local disk. Let block_migration be "
            "true or auto."
        )
    await move(room, call, row, "os-migrateLive", LIVE, flavor_of(row), host, forced=forced)


def keeps_disk_here(row: ServerRow) -> bool:
    flavor = flavor_of(row)
    return bool(row.image_ref) or flavor.ephemeral > 0 or flavor.swap > 0


@servers.item("DELETE", ONE + "delete", status=202, suffix="/migrations/{migration_id}", since="2.24")
async def abort(room: Compute, call: Call, row: ServerRow) -> None:
    stages = ("queued", "preparing", "running") if call.version >= ANY_MOMENT else ("running",)
    await turn(room, call, row, "live_migration_abort", ABORT, stages)


@servers.item(
    "POST",
    ONE + "force_complete",
    status=202,
    suffix="/migrations/{migration_id}/action",
    since="2.22",
    body=Body("", (Field("force_complete", Anything, create=REQUIRED),)),
)
async def force_complete(room: Compute, call: Call, row: ServerRow) -> None:
    await turn(room, call, row, "live_migration_force_complete", FORCE, ("running",))


async def turn(room: Compute, call: Call, row: ServerRow, verb: str, wish: str, stages: tuple[str, ...]) -> None:
    """Give an open live move another end, if it is not too late for that."""
    found = await one(room, call, row)
    too_late = BadRequest(
        f"Migration {found.number} state of instance {row.id} is {found.status}. Cannot {verb} while the "
        "migration is in this state."
    )
    if not found.open:
        raise too_late

    async def also(tx: Transaction, server: ServerRow) -> None:
        now = room.clock.now()
        where = {"id": found.id, "open": "open", "status": list(stages)}
        if not await tx.update(MoveRow, where, wish=wish, updated_at=now):
            raise too_late
        await finish_action(tx, server.id, verb, now)

    await act(room, call, row, verb, lambda server: None, also)
