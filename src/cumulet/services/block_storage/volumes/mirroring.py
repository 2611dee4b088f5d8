"""Moves of volumes that a machine has open: it brings what is in one to the other place, and goes on there.

The wish stands in the volume, as that of any move (`migration.py`); what the machine is to do, in its attachment: `go`,
or `stay` once the move is called off. What became of it is known to the machine's node alone. Compute hears it and says
it here, by `went` or `stayed`; until then both places keep all that they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.machines import MachineFacts, Power, VolumeConnection
from cumulet.contracts.volumes import EMPTY, VolumeFacts, VolumeSpec
from cumulet.core.db import Transaction
from cumulet.core.reconcile import Again, Outcome
from cumulet.lib.clock import SECOND
from cumulet.services.block_storage.backends import Pool
from cumulet.services.block_storage.errors import InvalidVolume
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes import arrival, exporting, place, store
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow
from cumulet.services.fleet.public import Held, NodeView

GO, STAY = "go", "stay"
REPORT_SECONDS = 30.0
DEADLINE = 24 * 3600 * SECOND


# ---- beginning -----------------------------------------------------------------------------------------------------


async def must_be_open(tx: Transaction, volume: VolumeRow) -> AttachmentRow:
    """The attachment by which the only machine that has a volume can bring it elsewhere. Raises InvalidVolume."""
    found = await tx.find(AttachmentRow, volume_id=volume.id)
    users = exporting.users(found)
    if len(found) != 1 or not users or users[0].status != "attached":
        raise InvalidVolume("it is in use by several, or by something that compute does not run: detach it there first")
    if await tx.find(SnapshotRow, volume_id=volume.id, limit=1):
        raise InvalidVolume("it is in use and has snapshots, which its machine cannot bring along; delete these first")
    return users[0]


async def begin(tx: Transaction, volume: VolumeRow) -> None:
    """Its machine is to bring it to where the volume says now."""
    attachment = await must_be_open(tx, volume)
    await tx.update(AttachmentRow, {"id": attachment.id}, move=GO)
    tx.wake("attachment", attachment.server_id)


async def reached(room: BlockStorage, volume: VolumeRow, pool: Pool, node: str) -> str:
    """The node of a pool to which an open volume goes: that of its machine if it has the pool, whichever is named.
    Raises InvalidVolume and VolumeUnreachable when its machine cannot bring it there."""
    async with room.database.read() as tx:
        attachment = await must_be_open(tx, volume)
    host = attachment.host
    for leg in await room.fleet.held(Kind.MACHINE, attachment.server_id):
        facts = msgspec.json.decode(leg.facts, type=MachineFacts) if leg.node == host and leg.observed else None
        if facts is not None and facts.power not in (Power.RUNNING, Power.PAUSED):
            raise InvalidVolume(f"server {attachment.server_id}, which has it, is off: start it, or detach the volume")
    near = any(one.node.name == host and one.up for one in pool.services)
    chosen = host if near else node or place.looker_after(pool, volume.id, volume.availability_zone)
    there = as_there(msgspec.structs.replace(volume, destination=chosen, destination_pool=pool.name, carried=EMPTY))
    nodes = {one.name: one for one in await room.fleet.nodes()}
    storage = exporting.storage_of(there, host, nodes)
    if not exporting.opens_itself(room, there, storage, host, nodes):
        exporting.must_be_offered(there, storage, host, nodes)
    return chosen


def as_there(volume: VolumeRow) -> VolumeRow:
    """A volume as it is at the other place. Pure."""
    return msgspec.structs.replace(volume, **arrival.arrived(volume))


# ---- on its way ----------------------------------------------------------------------------------------------------


def awaiting(volume: VolumeRow, spec: VolumeSpec) -> VolumeSpec:
    """The order for the other place: as much room, and nothing in it. Pure."""
    return VolumeSpec(
        id=spec.id,
        size_gib=spec.size_gib,
        backend=arrival.destination_of(volume)["backend"],
        arrives=EMPTY,
        reverts=spec.reverts,
        reimages=spec.reimages,
        restores=spec.restores,
        encrypted=spec.encrypted,
        key_bits=spec.key_bits,
        export_secret=volume.destination_secret,
    )


def with_other_place(volume: VolumeRow, spec: VolumeSpec) -> VolumeSpec:
    """The order for the node where a volume is; one with both backends is told of both at once. Pure."""
    if volume.carried != EMPTY or volume.destination != volume.node:
        return spec
    return msgspec.structs.replace(spec, beside=awaiting(volume, spec))


class Mirroring:
    """One look at an open volume that should be elsewhere."""

    def __init__(self, room: BlockStorage) -> None:
        self._room = room

    async def step(self, volume: VolumeRow, spec: VolumeSpec, legs: Sequence[Held]) -> Outcome:
        async with self._room.database.read() as tx:
            attachment = next((one for one in await tx.find(AttachmentRow, volume_id=volume.id) if one.move), None)
        if attachment is None:
            await arrival.end(self._room, volume, arrival.ERROR, "its machine has given it up")
            return Again(0)
        if volume.destination != volume.node:
            order = awaiting(volume, spec)
            await self._room.fleet.assign(volume.destination, Kind.VOLUME, volume.id, order, volume.generation)
        facts = _said_there(volume, legs)
        if reason := await self._hopeless(volume, facts):
            await call_off(self._room, attachment.id, reason)
        elif facts is not None:
            await self._note(volume, facts)
        return Again(REPORT_SECONDS, "its machine has not brought it there yet")

    async def _hopeless(self, volume: VolumeRow, facts: VolumeFacts | None) -> str:
        """Why it is called off; empty: it goes on."""
        node = await self._room.fleet.node(volume.destination)
        if node is None or not node.alive:
            return f"the host {volume.destination}, where it should go, does not answer"
        if self._room.clock.now() - volume.moving_since > DEADLINE:
            return "its machine has not brought it there within a day"
        return facts.fault.message if facts is not None and facts.fault is not None else ""

    async def _note(self, volume: VolumeRow, facts: VolumeFacts) -> None:
        if (volume.destination_size, volume.destination_exported) == (facts.size_gib, facts.exported):
            return
        room, said = self._room, {"destination_size": facts.size_gib, "destination_exported": facts.exported}

        async def write(tx: Transaction) -> None:
            current = await store.held(room, tx, volume.id)
            if current.generation == volume.generation:
                await store.change(room, tx, volume.id, **said)
                await _wake_servers(tx, volume.id)

        await room.database.write(write)


def _said_there(volume: VolumeRow, legs: Sequence[Held]) -> VolumeFacts | None:
    """What the other place says under the newest order."""
    for leg in legs:
        if leg.node == volume.destination and leg.observed == volume.generation and not leg.gone:
            facts = msgspec.json.decode(leg.facts, type=VolumeFacts)
            return facts.beside if volume.destination == volume.node else facts
    return None


async def _wake_servers(tx: Transaction, volume_id: str) -> None:
    for attachment in await tx.find(AttachmentRow, volume_id=volume_id):
        tx.wake("attachment", attachment.server_id)


async def call_off(room: BlockStorage, attachment_id: str, reason: str) -> None:
    """It is to stay, unless it is there already. Nothing happens to a move that is called off or over."""

    async def write(tx: Transaction) -> None:
        attachment = await tx.get(AttachmentRow, id=attachment_id)
        if attachment is None or attachment.move != GO:
            return
        volume = await store.held(room, tx, attachment.volume_id)
        await tx.update(AttachmentRow, {"id": attachment_id}, move=STAY)
        await arrival.tell(room, tx, volume, reason)
        await _wake_servers(tx, volume.id)

    await room.database.write(write)


# ---- what compute asks and says --------------------------------------------------------------------------------------


async def target(
    room: BlockStorage, tx: Transaction, volume: VolumeRow, host: str, nodes: Mapping[str, NodeView]
) -> VolumeConnection | None:
    """How a host reaches the other place; None: it will, but does not yet. Raises VolumeUnreachable."""
    there = as_there(volume)
    storage = exporting.storage_of(there, host, nodes)
    if there.export_secret:
        return exporting.offered(there, storage)
    if exporting.opens_itself(room, there, storage, host, nodes):
        return exporting.opened(there, storage) if volume.destination_size else None
    exporting.must_be_offered(there, storage, host, nodes)
    await store.order(room, tx, volume.id, destination_secret=exporting.new_secret())
    return None


async def ended(
    room: BlockStorage, attachment_id: str, status: str, reason: str = "", *, at: VolumeConnection | None = None
) -> None:
    """The machine is at the other place, `at` this one, or will not be. Nothing happens to a move that is over, nor to
    one that leads elsewhere: whoever was killed when he had said so says it again, maybe after the next has begun."""
    async with room.database.read() as tx:
        attachment = await tx.get(AttachmentRow, id=attachment_id)
        volume = await tx.get(VolumeRow, id=attachment.volume_id) if attachment is not None else None
    if attachment is None or not attachment.move or volume is None or volume.carried != EMPTY:
        return
    if at is None or _leads_to(volume, attachment.host, at):
        await arrival.end(room, volume, status, reason)


def _leads_to(volume: VolumeRow, host: str, place: VolumeConnection) -> bool:
    """Whether a volume that a host has open is on its way to this place. Pure."""
    there = as_there(volume)
    if there.export_secret or place.secret:
        return there.export_secret == place.secret
    if (there.backend, bool(there.cluster)) != (place.backend, place.shared):
        return False
    return place.shared or there.node == host
