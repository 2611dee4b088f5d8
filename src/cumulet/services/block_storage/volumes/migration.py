"""Moves of volumes that nobody has open: the file goes to another node, with its snapshots and encrypted as it is.

Until the other node has all of it, nothing changes here; one write then says where the volume is, and the old node lets
go. Whoever is killed on the way begins again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec
from cumulet.core.db import Transaction
from cumulet.core.reconcile import Again, Outcome
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Text, Uuid
from cumulet.lib.clock import SECOND
from cumulet.services.block_storage.backends import pools
from cumulet.services.block_storage.errors import InvalidInput, InvalidVolume, ServiceNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes import place, store
from cumulet.services.block_storage.volumes.resource import volumes
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.fleet.public import Held

RULE = "volume_extension:volume_admin_actions:"
HOLD = "maintenance"
MIGRATING, SUCCESS, ERROR = "migrating", "success", "error"
REPORT_SECONDS = 30.0
DEADLINE = 24 * 3600 * SECOND


@volumes.action(
    "os-migrate_volume",
    RULE + "migrate_volume",
    Field("host", Text(255).or_null(), create=OPTIONAL),
    Field("cluster", Text().or_null(), create=OPTIONAL, since="3.16"),
    Field("force_host_copy", Bool, create=OPTIONAL),
    Field("lock_volume", Bool, create=OPTIONAL),
)
async def migrate(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    host = call.wish.get("host") or call.wish.get("cluster")
    if not host:
        raise InvalidInput("host: name the host or the cluster to move to")
    node = await _destination(room, row, host)

    async def write(tx: Transaction) -> None:
        current = await store.held(room, tx, row.id)
        if current.status != "available":
            raise InvalidVolume(f"status must be available to migrate it, not {current.status}: detach it first")
        if current.group_id:
            raise InvalidVolume(f"it belongs to group {current.group_id}; remove it from there first")
        if node == current.node:
            raise InvalidInput("the volume is on that host already")
        began = {"destination": node, "moving_since": room.clock.now(), "migration_status": MIGRATING, "hold": HOLD}
        await store.order(room, tx, row.id, **began)

    await room.database.write(write)


async def _destination(room: BlockStorage, row: VolumeRow, host: str) -> str:
    """The node of this name, if it can take the volume."""
    meant = next((pool for pool in await pools(room) if pool.is_called(host)), None)
    if meant is None:
        raise ServiceNotFound(f"Service cinder-volume could not be found on host {host[:64]}.")
    choice, pool = await place.find(room, row, None, only=meant.name)
    if pool is None:
        raise InvalidInput(choice.sentence())
    return place.looker_after(pool, row.id)


@volumes.action(
    "os-migrate_volume_completion",
    RULE + "migrate_volume_completion",
    Field("new_volume", Uuid, create=REQUIRED),
    Field("error", Bool.or_null(), create=OPTIONAL),
    status=200,
)
async def complete(room: BlockStorage, call: Call, row: VolumeRow) -> dict[str, Any]:
    """What a compute service says that copied an attached volume by itself. Here none does."""
    await volumes.find(room, call, call.wish["new_volume"])
    raise InvalidVolume("no server is copying it to another volume; a migration ends by itself")


class Moving:
    """One look at a volume that should be on another node."""

    def __init__(self, room: BlockStorage) -> None:
        self._room = room

    async def step(self, volume: VolumeRow, spec: VolumeSpec, legs: Sequence[Held]) -> Outcome:
        nodes = {node.name for node in await self._room.fleet.nodes() if node.alive}
        late = self._room.clock.now() - volume.moving_since > DEADLINE
        if late or not {volume.node, volume.destination} <= nodes:
            return await self._end(volume, ERROR)
        arriving = msgspec.structs.replace(spec, arrives=True)
        await self._room.fleet.assign(volume.destination, Kind.VOLUME, volume.id, arriving, volume.generation)
        for leg in legs:
            if leg.node == volume.destination and leg.observed == volume.generation and not leg.gone:
                facts = msgspec.json.decode(leg.facts, type=VolumeFacts)
                if facts.fault is not None:
                    return await self._end(volume, ERROR)
                if facts.size_gib:
                    return await self._end(volume, SUCCESS, node=volume.destination)
        return Again(REPORT_SECONDS, "it has not arrived yet")

    async def _end(self, volume: VolumeRow, status: str, **place: str) -> Outcome:
        room = self._room

        async def write(tx: Transaction) -> None:
            current = await store.held(room, tx, volume.id)
            if current.destination != volume.destination:
                return
            hold = "" if current.hold == HOLD else current.hold
            await store.order(room, tx, volume.id, destination="", migration_status=status, hold=hold, **place)

        await room.database.write(write)
        return Again(0)
