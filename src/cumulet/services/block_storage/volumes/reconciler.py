"""How the world follows a volume's wish: a node is chosen, told, and believed when it reports."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Kind
from cumulet.contracts.machines import ImageRef
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import EMPTY, VolumeFacts, VolumeSpec
from cumulet.core.db import Query, Transaction
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.services.block_storage.backends import pools
from cumulet.services.block_storage.backups.row import BackupRow
from cumulet.services.block_storage.messages import Action
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.types.row import TypeRow
from cumulet.services.block_storage.volumes import place, sources, store
from cumulet.services.block_storage.volumes.migration import Moving
from cumulet.services.block_storage.volumes.mirroring import Mirroring, with_other_place
from cumulet.services.block_storage.volumes.noting import note
from cumulet.services.block_storage.volumes.order import order_of
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.block_storage.volumes.verdict import Verdict, judge
from cumulet.services.fleet.public import Held

NO_NODE_SECONDS = 5.0
REPORT_SECONDS = 30.0
COPY_SECONDS = 5.0
MOST_TRIES = 2
"""Places, besides the first one, where a volume is tried to be made when that fails."""


class VolumeReconciler:
    """Looks after each volume and its snapshots."""

    topic = store.TOPIC
    also = (str(Kind.VOLUME),)

    def __init__(self, room: BlockStorage) -> None:
        self._room = room
        self._moving = Moving(room)
        self._mirroring = Mirroring(room)

    async def step(self, key: str) -> Outcome:
        async with self._room.database.read() as tx:
            volume = await tx.get(VolumeRow, id=key)
        legs = await self._room.fleet.held(Kind.VOLUME, key)
        if volume is None:
            return await self._let_go(key, legs)
        if volume.cluster and await self._handed_over(volume):
            return Again(0)
        if not volume.wanted:
            return await self._end(volume, legs)
        if not volume.node:
            return Done() if volume.fault else await self._place(volume)
        return await self._make(volume, legs)

    async def _handed_over(self, volume: VolumeRow) -> bool:
        """Another node of the same storage looks after a volume from now on: the one that did so is dead, or does not
        have the storage any more."""
        pool = next((pool for pool in await pools(self._room) if pool.holds(volume)), None)
        services = pool.services if pool is not None else ()
        if pool is None or any(one.node.name == volume.node and one.node.alive for one in services):
            return False
        node = place.looker_after(pool, volume.id, volume.availability_zone)
        if not any(one.node.name == node and one.up for one in services):
            return False
        await self._room.database.write(lambda tx: store.order(self._room, tx, volume.id, node=node))
        return True

    # ---- ending ------------------------------------------------------------------------------------------------------

    async def _let_go(self, key: str, legs: Sequence[Held]) -> Outcome:
        for leg in legs:
            if not leg.gone:
                await self._room.fleet.withdraw(leg.node, Kind.VOLUME, key)
        return Again(REPORT_SECONDS, "a node has not let go yet") if legs else Done()

    async def _end(self, volume: VolumeRow, legs: Sequence[Held]) -> Outcome:
        async with self._room.database.read() as tx:
            if await sources.is_copied(tx, volume):
                return Again(COPY_SECONDS, "another volume is being made of this one")
        if volume.released:
            node = await self._room.fleet.node(volume.node)
            if volume.exported and node is not None and node.alive:
                return await self._make(volume, legs)  # what stays there is not to stay offered
            for leg in legs:
                await self._room.fleet.forget(leg.node, Kind.VOLUME, volume.id)
            await self._room.database.write(lambda tx: store.remove(tx, volume))
            return Done()
        if volume.cluster and volume.looked_after not in ("", volume.node):
            # Who looks after it now destroys it, whoever did so before.
            spec = VolumeSpec(id=volume.id, size_gib=volume.size, backend=volume.backend)
            await self._room.fleet.assign(volume.node, Kind.VOLUME, volume.id, spec, volume.generation)
            await note(self._room, volume.id, Verdict(volume={"looked_after": volume.node}))
            return Again(0)
        outcome = await self._let_go(volume.id, legs)
        alive = {node.name for node in await self._room.fleet.nodes() if node.alive}
        if any(leg.node in alive for leg in legs):
            return outcome
        # What its owner sees does not wait for a node that is dead; the order to it stands until it comes back.
        await self._room.database.write(lambda tx: store.remove(tx, volume))
        return outcome

    # ---- beginning ---------------------------------------------------------------------------------------------------

    async def _place(self, volume: VolumeRow) -> Outcome:
        async with self._room.database.read() as tx:
            source, beside, lost = await self._source_pool(tx, volume)
            kind = await tx.get(TypeRow, id=volume.type_id) if volume.type_id else None
        if lost:
            return await self._fail(volume, Action.CREATE_VOLUME, lost)
        choice, pool = await place.find(self._room, volume, kind, source=source)
        if pool is not None:
            there = place.placed(pool, volume.id, volume.availability_zone, beside)
            await note(self._room, volume.id, Verdict(volume=there))
            return Again(0)
        if not choice.refusals:
            return Again(NO_NODE_SECONDS, choice.sentence())
        why = [*_tried(volume).values()][-1:]
        return await self._fail(volume, Action.SCHEDULE, " ".join((*why, choice.sentence())))

    async def _try_elsewhere(self, volume: VolumeRow, why: str) -> None:
        """Let it look for another place: what is left of it at this one goes."""
        tried = msgspec.json.encode({**_tried(volume), place.pool_of(volume): why}).decode()
        left = {"leaves": f"{volume.node}@{volume.backend}", "tried": tried}
        nowhere = {"node": "", "backend": "", "cluster": "", "pool": "", "looked_after": ""}
        await self._room.database.write(lambda tx: store.order(self._room, tx, volume.id, **left, **nowhere))

    @staticmethod
    async def _source_pool(tx: Transaction, volume: VolumeRow) -> tuple[str, str, str]:
        """The pool where the content of a new volume lives, and who looks after it; or why it cannot be had."""
        source_id = volume.source_volume_id
        if volume.snapshot_id:
            snapshot = await tx.get(SnapshotRow, id=volume.snapshot_id)
            if snapshot is None:
                return "", "", f"The snapshot {volume.snapshot_id} is gone."
            source_id = snapshot.volume_id
        if not source_id:
            return "", "", ""
        source = await tx.get(VolumeRow, id=source_id)
        return (place.pool_of(source), source.node, "") if source else ("", "", f"The volume {source_id} is gone.")

    async def _fail(self, volume: VolumeRow, action: Action, reason: str) -> Outcome:
        await note(self._room, volume.id, Verdict(volume={"fault": reason}, cause=action, reason=reason))
        return Done()

    # ---- living ------------------------------------------------------------------------------------------------------

    async def _make(self, volume: VolumeRow, legs: Sequence[Held]) -> Outcome:
        async with self._room.database.read() as tx:
            snapshots = await tx.find(SnapshotRow, volume_id=volume.id, order_by="created_at")
            copied = await self._copied(tx, snapshots)
            source = await tx.get(SnapshotRow, id=volume.snapshot_id) if volume.snapshot_id else None
        image = await self._room.image.ref(volume.source_image_id) if volume.source_image_id else None
        if lost := await self._lost(volume, image):
            return await self._fail(volume, *lost)
        spec = order_of(volume, snapshots, copied, source, image)
        arrives_here = volume.destination == volume.node and volume.carried != EMPTY
        if (volume.made_size or not volume.fault) and not arrives_here:
            order = with_other_place(volume, spec)
            await self._room.fleet.assign(volume.node, Kind.VOLUME, volume.id, order, volume.generation)
        await self._leave(volume, spec, legs)
        if volume.destination:
            mover = self._mirroring if volume.carried == EMPTY else self._moving
            return await mover.step(volume, spec, legs)
        if volume.leaves and self._has_left(volume, spec, legs):
            await self._room.database.write(lambda tx: store.order(self._room, tx, volume.id, leaves=""))
            return Again(0)
        verdict = await self._verdict(volume, snapshots, legs, copied)
        if verdict.may_be_made_elsewhere and len(_tried(volume)) < MOST_TRIES:
            await self._try_elsewhere(volume, verdict.reason)
            return Again(0)
        if verdict.says_anything:
            await note(self._room, volume.id, verdict)
            return Again(0)
        if not volume.unsettled:
            return Done()
        return Again(COPY_SECONDS if copied else REPORT_SECONDS, "the node has not reported yet")

    async def _lost(self, volume: VolumeRow, image: ImageRef | None) -> tuple[Action, str] | None:
        """What was to be done with an image or a backup that is not there any more, and why that fails."""
        if volume.fault:
            return None
        awaited = not volume.made_size or volume.made_reimages < volume.reimages
        if volume.source_image_id and image is None and awaited:
            return Action.CREATE_FROM_IMAGE, "The image this volume should be made from is gone."
        if volume.made_restores < volume.restores:
            async with self._room.database.read() as tx:
                backup = await tx.get(BackupRow, id=volume.restore_from)
            if backup is None:
                return Action.BACKUP_RESTORE, f"The backup {volume.restore_from} is gone."
            if backup.fault or not backup.made:
                return Action.BACKUP_RESTORE, backup.fault or f"The backup {volume.restore_from} is not made."
        return None

    async def _leave(self, volume: VolumeRow, spec: VolumeSpec, legs: Sequence[Held]) -> None:
        """Nodes that have nothing to do with a volume any more let go of it: without a trace where it was, and leaving
        it as it is where they share the storage with who looks after it now."""
        at = volume.leaves.partition("@")[0]
        for leg in legs:
            if leg.node in (volume.node, volume.destination) or leg.gone:
                continue
            if not volume.cluster or leg.node == at:
                await self._room.fleet.withdraw(leg.node, Kind.VOLUME, volume.id)
                continue
            elsewhere = VolumeSpec(id=volume.id, size_gib=spec.size_gib, backend=spec.backend, elsewhere=True)
            if leg.observed == volume.generation and digest_of(elsewhere).encode() in leg.facts:
                await self._room.fleet.forget(leg.node, Kind.VOLUME, volume.id)
            else:
                await self._room.fleet.assign(leg.node, Kind.VOLUME, volume.id, elsewhere, volume.generation)

    @staticmethod
    def _has_left(volume: VolumeRow, spec: VolumeSpec, legs: Sequence[Held]) -> bool:
        """Nothing is left of it where it was."""
        at = volume.leaves.partition("@")[0]
        if at != volume.node:
            return all(leg.node != at for leg in legs)
        digest = digest_of(spec).encode()
        return any(leg.node == at and leg.observed == volume.generation and digest in leg.facts for leg in legs)

    @staticmethod
    async def _copied(tx: Transaction, snapshots: Sequence[SnapshotRow]) -> set[str]:
        """Snapshots that should go, but of which volumes are being made."""
        going = [row.id for row in snapshots if not row.wanted]
        if not going:
            return set()
        made_of = await tx.find(VolumeRow, snapshot_id=going, made_size=0, fault="", wanted=True)
        return {row.snapshot_id for row in made_of}

    async def _verdict(
        self, volume: VolumeRow, snapshots: Sequence[SnapshotRow], legs: Sequence[Held], copied: set[str]
    ) -> Verdict:
        for leg in legs:
            if leg.node == volume.node and leg.observed:
                facts = msgspec.json.decode(leg.facts, type=VolumeFacts)
                if facts.id != volume.id:
                    continue
                verdict = judge(volume, snapshots, facts, current=leg.observed == volume.generation)
                verdict.gone = [key for key in verdict.gone if key not in copied]
                return verdict
        node = await self._room.fleet.node(volume.node)
        if node is None or not node.alive:
            # A dead node keeps what it was told to drop; its owner does not wait for it.
            return Verdict(gone=[row.id for row in snapshots if not row.wanted and row.id not in copied])
        return Verdict()

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        async with self._room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_page(True), {"after": after, "most": limit})]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        async with self._room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_page(False), {"after": after, "most": limit})]


def _tried(volume: VolumeRow) -> dict[str, str]:
    return msgspec.json.decode(volume.tried, type=dict[str, str])


@cache
def _page(unsettled: bool) -> Query:
    c = VolumeRow.c
    statement = sa.select(c.id).where(c.id > sa.bindparam("after")).order_by(c.id)
    if unsettled:
        statement = statement.where(c.unsettled == sa.true())
    return Query(statement.limit(sa.bindparam("most", type_=sa.Integer)))
