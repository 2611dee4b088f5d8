"""Moves of volumes from one pool to another: asked for as such, or with another type.

One that a machine has open is brought there by it (`mirroring.py`). Of those that nobody has open, between backends of
one kind of content a volume goes as it is, with its snapshots and encrypted; between others only what it holds is
copied. Until the other backend has all of it, nothing changes here; one write then says where the volume is, and what
is left of it behind goes. Whoever is killed on the way begins again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.volumes import CONTENT, EMPTY, WHOLE, VolumeFacts, VolumeSpec
from cumulet.core.db import Transaction
from cumulet.core.reconcile import Again, Outcome
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Text, Uuid
from cumulet.lib.clock import SECOND
from cumulet.services.block_storage.backends import Pool, pools
from cumulet.services.block_storage.errors import InvalidInput, InvalidVolume, ServiceNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.types import quotas
from cumulet.services.block_storage.types.row import TypeRow
from cumulet.services.block_storage.volumes import arrival, mirroring, place, sources, store
from cumulet.services.block_storage.volumes.resource import volumes
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.fleet.public import Held

RULE = "volume_extension:volume_admin_actions:"
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
    meant = next((pool for pool in await pools(room) if pool.is_called(host)), None)
    if meant is None:
        raise ServiceNotFound(f"Service cinder-volume could not be found on host {host[:64]}.")
    node = next((one.node.name for one in meant.services if one.is_called(host)), "")
    if meant.name == place.pool_of(row):
        return await _hand_over(room, row, node)
    async with room.database.read() as tx:
        kind = await tx.get(TypeRow, id=row.type_id) if row.type_id else None
    choice, pool = await place.find(room, row, kind, only=meant.name)
    if pool is None:
        raise InvalidInput(choice.sentence())
    await begin(room, row, pool, node)


async def _hand_over(room: BlockStorage, row: VolumeRow, node: str) -> None:
    """Another node of the same storage is to look after it; no byte moves."""
    if not row.cluster or node in ("", row.node):
        raise InvalidInput("the volume is on that host already")

    async def write(tx: Transaction) -> None:
        _must_rest(await store.held(room, tx, row.id))
        await store.order(room, tx, row.id, node=node, migration_status=arrival.SUCCESS)

    await room.database.write(write)


async def begin(
    room: BlockStorage, row: VolumeRow, pool: Pool, node: str = "", new_type: TypeRow | None = None
) -> None:
    """Let a volume go to this pool, to a node of it if one is named; with another type if one is named."""
    carried = await _carried(room, row, pool)
    if carried == EMPTY:
        node = await mirroring.reached(room, row, pool, node)

    async def write(tx: Transaction) -> None:
        current = await store.held(room, tx, row.id)
        _must_rest(current, open_too=carried == EMPTY)
        if await sources.is_copied(tx, current):
            raise InvalidVolume("another volume is just being made of it, where it is; try again when that is done")
        if carried == EMPTY:
            await mirroring.begin(tx, current)
        if carried == CONTENT and await tx.find(SnapshotRow, volume_id=row.id, limit=1):
            raise InvalidVolume("it has snapshots, which cannot go to a backend of another kind; delete these first")
        if new_type is not None:
            for project, amounts in await arrival.held(tx, current):
                await quotas.take_too(room, tx, project, new_type.id, **amounts)
        await store.order(
            room,
            tx,
            row.id,
            destination=node or place.looker_after(pool, row.id, row.availability_zone),
            destination_pool=pool.name,
            carried=carried,
            new_type=new_type.id if new_type else "",
            moving_since=room.clock.now(),
            migration_status=arrival.MIGRATING,
            hold=arrival.RETYPING if new_type else arrival.HOLD,
        )

    await room.database.write(write)


async def _carried(room: BlockStorage, row: VolumeRow, pool: Pool) -> str:
    """As what a volume goes to a pool. Raises InvalidVolume."""
    home = next((one for one in await pools(room) if one.holds(row)), None)
    if home is None or not home.up:
        raise InvalidVolume(f"the backend where it lies, {place.pool_of(row)}, cannot be used now")
    if row.status == "in-use":
        return EMPTY
    if home.storage.content and home.storage.content == pool.storage.content:
        return WHOLE
    if row.encryption_key_id:
        raise InvalidVolume("it is encrypted and cannot go to a backend of another kind: its content is not told")
    return CONTENT


def _must_rest(volume: VolumeRow, *, open_too: bool = False) -> None:
    """Nothing else is to be done with it. `open_too`: a machine has it, and brings it."""
    if volume.status != ("in-use" if open_too else "available"):
        raise InvalidVolume(f"status must be available or in-use to migrate it, not {volume.status}; try again later")
    if volume.group_id:
        raise InvalidVolume(f"it belongs to group {volume.group_id}; remove it from there first")
    if volume.leaves:
        raise InvalidVolume(f"what is left of it at {volume.leaves} goes first; try again later")


@volumes.action(
    "os-migrate_volume_completion",
    RULE + "migrate_volume_completion",
    Field("new_volume", Uuid, create=REQUIRED),
    Field("error", Bool.or_null(), create=OPTIONAL),
    status=200,
)
async def complete(room: BlockStorage, call: Call, row: VolumeRow) -> dict[str, Any]:
    """What a compute service says that copied an attached volume to another one. Here a volume that moves is one, and
    what became of it is known."""
    await volumes.find(room, call, call.wish["new_volume"])
    raise InvalidVolume("no server is copying it to another volume; a migration ends by itself")


class Moving:
    """One look at a volume that should be elsewhere."""

    def __init__(self, room: BlockStorage) -> None:
        self._room = room

    async def step(self, volume: VolumeRow, spec: VolumeSpec, legs: Sequence[Held]) -> Outcome:
        nodes = {node.name for node in await self._room.fleet.nodes() if node.alive}
        late = self._room.clock.now() - volume.moving_since > DEADLINE
        if late or not {volume.node, volume.destination} <= nodes:
            return await self._end(volume, arrival.ERROR, "a host that it comes from or goes to does not answer")
        await self._room.fleet.assign(
            volume.destination, Kind.VOLUME, volume.id, arriving(volume, spec), volume.generation
        )
        for leg in legs:
            if leg.node == volume.destination and leg.observed == volume.generation and not leg.gone:
                facts = msgspec.json.decode(leg.facts, type=VolumeFacts)
                if facts.fault is not None:
                    return await self._end(volume, arrival.ERROR, facts.fault.message)
                if facts.size_gib:
                    return await self._end(volume, arrival.SUCCESS)
        return Again(REPORT_SECONDS, "it has not arrived yet")

    async def _end(self, volume: VolumeRow, status: str, reason: str = "") -> Outcome:
        await arrival.end(self._room, volume, status, reason)
        return Again(0)


def arriving(volume: VolumeRow, spec: VolumeSpec) -> VolumeSpec:
    """The order to the node to which a volume goes. Pure."""
    from_here = volume.backend if volume.destination == volume.node else ""
    backend = arrival.destination_of(volume)["backend"]
    return msgspec.structs.replace(spec, backend=backend, arrives=volume.carried, arrives_from=from_here)
