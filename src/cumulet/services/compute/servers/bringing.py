"""Volumes that block storage wants elsewhere: the running machine is told where to bring them, and what becomes of that
is told back.

Where a volume is, after its machine was once told to bring it elsewhere, its node alone knows. So whatever else is to
happen to the server waits until the node has said it: the volume is there; or it stays, by an order that names no other
place any more. Only of a host that is dead, and has lost the server by that, nothing is awaited.
"""

from __future__ import annotations

import dataclasses

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.machines import MachineSpec, MirrorFacts, Power, VolumeConnection
from cumulet.contracts.record import digest_of
from cumulet.core.db import Transaction
from cumulet.core.errors import CloudError, Unavailable
from cumulet.core.reconcile import Again, Outcome
from cumulet.lib.clock import SECOND
from cumulet.services.compute.history import record_ended
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look
from cumulet.services.compute.servers.row import DiskRow, Wanted
from cumulet.services.compute.servers.store import change

LOOK_AGAIN = 2.0
PATIENCE_SECONDS = 600
"""How long the end of a server waits for a node that is alive and does not say where its volumes are."""
OTHERWISE = "its server was stopped, moved or deleted meanwhile, or is in error; start it and ask again"
_connection = msgspec.json.Decoder(VolumeConnection)


async def follow_volumes(room: Compute, look: Look) -> Outcome | None:
    """One step; none: nothing has to happen before whatever else is wished."""
    for disk in look.disks:
        promise = look.promised.get(disk.id)
        outcome = None
        if disk.target:
            outcome = await _follow(room, look, disk)
        elif promise is not None and promise.moves:
            outcome = await _begin(room, look, disk)
        if outcome is not None:
            return outcome
    return None


async def _begin(room: Compute, look: Look, disk: DiskRow) -> Outcome | None:
    """The machine has been told nothing yet."""
    if not look.goes(disk):
        await room.volumes.stayed(disk.id, _reason(look, disk))
        return Again()
    try:
        target = await room.volumes.target(disk.id, look.server.host)
    except Unavailable as error:
        return Again(LOOK_AGAIN, error.message)
    except CloudError as error:
        await room.volumes.stayed(disk.id, error.message)
        return Again()
    if target is None:
        return None
    # Not if somebody has asked for the volume's end in this moment.
    told = {"target": msgspec.json.encode(target).decode(), "moves": disk.moves + 1}
    await room.database.write(lambda tx: tx.update(DiskRow, {"id": disk.id, "wanted": "attached"}, **told))
    return Again()


async def _follow(room: Compute, look: Look, disk: DiskRow) -> Outcome | None:
    mirror = _mirror(look, disk)
    if mirror is not None and mirror.there:
        place = _connection.decode(disk.target)
        await _note_there(room, look, disk, await room.volumes.went(disk.id, place))
        return Again()
    if look.goes(disk):
        if mirror is not None and mirror.fault and look.machine and look.machine.digest == look.digest:
            await room.volumes.call_off(disk.id, mirror.fault)
            return Again()
        return None
    return await _stay(room, look, disk)


async def _note_there(room: Compute, look: Look, disk: DiskRow, node: str) -> None:
    """Written down once, also among what happened to the server."""
    there = {"connection": disk.target, "target": "", "node": node}

    async def write(tx: Transaction) -> None:
        if await tx.update(DiskRow, {"id": disk.id, "target": disk.target}, **there):
            await record_ended(tx, look.server, "swap_volume", room.clock.now())

    await room.database.write(write)


async def _stay(room: Compute, look: Look, disk: DiskRow) -> Outcome | None:
    """It is not to go any more. What became of it the node says under an order that does not name the other place."""
    server, ends = look.server, look.server.wanted == Wanted.GONE
    order = _order(look, disk)
    spoken = look.machine is not None and look.machine.digest == digest_of(order)
    if not spoken and look.alive(server.host):
        late = room.clock.now() - server.wished_at > PATIENCE_SECONDS * SECOND
        if not (ends and late):
            await room.fleet.assign(server.host, Kind.MACHINE, server.id, order, server.generation)
            return Again(LOOK_AGAIN, "its node has not said where a volume is")
    elif not spoken and not (ends or look.move is not None):
        return None  # with its host
    # In this order: once block storage knows it, another move may begin, and this target is not that one's.
    await change(room, disk, target="")
    await room.volumes.stayed(disk.id, _reason(look, disk))
    return Again()


def _order(look: Look, disk: DiskRow) -> MachineSpec:
    """What the server is to be, but that it has its volumes, and runs if it does, until it has said where they are."""
    kept = msgspec.structs.replace(disk, wanted="attached", target="")
    disks = [kept if one.id == disk.id else one for one in look.disks]
    order = dataclasses.replace(look, disks=disks).spec
    runs = look.machine is not None and look.machine.power in (Power.RUNNING, Power.PAUSED)
    if look.server.wanted == Wanted.GONE and look.machine is not None and runs:
        return msgspec.structs.replace(order, wanted=look.machine.power)
    return order


def _mirror(look: Look, disk: DiskRow) -> MirrorFacts | None:
    target = digest_of(_connection.decode(disk.target))
    mirrors = look.machine.mirrors if look.machine is not None else ()
    return next((one for one in mirrors if one.disk == disk.volume_id and one.target == target), None)


def _reason(look: Look, disk: DiskRow) -> str:
    """Why it stays; empty: block storage knows."""
    promise = look.promised.get(disk.id)
    return OTHERWISE if promise is not None and promise.goes else ""
