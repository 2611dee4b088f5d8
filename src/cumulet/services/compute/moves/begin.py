"""A move is begun, and when it is finished told what its owner wants: all that writes its row by a wish."""

from __future__ import annotations

from secrets import token_hex

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.core.errors import BadRequest, OverQuota
from cumulet.core.web.call import Call
from cumulet.lib.ids import new_uuid
from cumulet.services.compute.errors import InstanceInvalidState
from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.moves.row import EVACUATION, LIVE, MoveRow
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.counted import growth
from cumulet.services.compute.servers.create import exceeded
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.operations import act
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow, Wanted
from cumulet.services.compute.servers.tell import json_of

BEGINNINGS = {EVACUATION: ("accepted", "rebuilding"), LIVE: ("queued", "migrating")}
"""Status of a move, and task of its server, where nobody turns the server off first."""
_last = Query(sa.select(sa.func.max(MoveRow.c.number)))


async def known_host(room: Compute, host: str) -> None:
    """Raise unless there is such a host."""
    if await room.fleet.node(host) is None:
        raise BadRequest(f"Compute host {host[:60]} could not be found.")


async def other_host(room: Compute, call: Call, row: ServerRow, host: str, rule: str) -> None:
    """Raise unless this caller may send the server there."""
    call.allow(rule, servers.target(row))
    await known_host(room, host)
    if host == row.host:
        raise BadRequest(f"Unable to migrate instance {row.id} to current host {host}.")


async def move(
    room: Compute,
    call: Call,
    row: ServerRow,
    verb: str,
    kind: str,
    flavor: Flavor,
    host: str = "",
    disk_config: str = "",
    forced: bool = False,
) -> None:
    """Begin a move: its row, the larger of both sizes counted, the server off until it arrives unless it stays on."""
    status, task = BEGINNINGS.get(kind, ("migrating", "resize_prep"))
    await room.quota.learn(row.project_id)

    async def begin(tx: Transaction, found: ServerRow) -> None:
        old = flavor_of(found)
        grows = growth(old, flavor, root_is_volume=not found.image_ref)
        if await tx.get(MoveRow, server_id=found.id, open="open"):
            raise InstanceInvalidState(verb, found.id, "task_state", found.task_state)
        try:
            await room.quota.take(tx, found.project_id, **grows)
        except OverQuota as over:
            limits, used = await room.quota.limits(tx, found.project_id), await room.quota.usage(tx, found.project_id)
            raise OverQuota(exceeded(over.resources, grows, 1, limits, used), over.resources) from over
        now = room.clock.now()
        await tx.insert(
            MoveRow(
                id=new_uuid(),
                number=1 + int(await tx.scalar(_last) or 0),
                server_id=found.id,
                project_id=found.project_id,
                user_id=call.caller.user_id,
                kind=kind,
                open="open",
                wish="go",
                status=status,
                source=found.host,
                destination="",
                host_wanted=host,
                forced=forced,
                secret=token_hex(32) if kind == LIVE else "",
                old_flavor=json_of(old),
                new_flavor=json_of(flavor),
                power=Wanted.RUNNING if found.wanted == Wanted.RUNNING else Wanted.STOPPED,
                fails_since=0,
                created_at=now,
                updated_at=now,
            )
        )
        found.move = task
        found.disk_config = disk_config or found.disk_config
        if kind not in BEGINNINGS:
            found.wanted = Wanted.STOPPED

    await act(room, call, row, verb, lambda found: None, begin)


async def decide(room: Compute, call: Call, row: ServerRow, verb: str, wish: str, status: str, task: str) -> None:
    """Tell the finished move what its owner wants."""

    async def also(tx: Transaction, found: ServerRow) -> None:
        changed = await tx.update(
            MoveRow, {"server_id": row.id, "open": "open", "status": "finished"},
            wish=wish, status=status, updated_at=room.clock.now(),
        )  # fmt: skip
        if not changed:
            raise BadRequest("Instance has not been resized.")

    def alter(found: ServerRow) -> None:
        found.move = task
        if wish == "revert":
            found.wanted = Wanted.STOPPED

    await act(room, call, row, verb, alter, also)
