"""How the world follows a volume's wish: a node is chosen, told, and believed when it reports."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Kind
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec
from cumulet.core.db import Query, Transaction
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.placing import choose
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.fleet.public import Held

NO_NODE_SECONDS = 5.0
REPORT_SECONDS = 30.0


class VolumeReconciler:
    """Looks after each volume."""

    topic = store.TOPIC
    also = (str(Kind.VOLUME),)

    def __init__(self, room: BlockStorage) -> None:
        self._room = room

    async def step(self, key: str) -> Outcome:
        async with self._room.database.read() as tx:
            volume = await tx.get(VolumeRow, id=key)
        legs = await self._room.fleet.held(Kind.VOLUME, key)
        if volume is None:
            return await self._let_go(key, legs)
        if not volume.wanted:
            return await self._let_go(key, legs) if legs else await self._forget(volume)
        if volume.fault:
            return Done()
        if not volume.node:
            return await self._place(volume)
        return await self._make(volume, legs)

    async def _let_go(self, key: str, legs: Sequence[Held]) -> Outcome:
        for leg in legs:
            if not leg.gone:
                await self._room.fleet.withdraw(leg.node, Kind.VOLUME, key)
        return Again(REPORT_SECONDS, "a node has not let go yet") if legs else Done()

    async def _forget(self, volume: VolumeRow) -> Outcome:
        await self._room.database.write(lambda tx: store.remove(tx, volume))
        return Done()

    async def _place(self, volume: VolumeRow) -> Outcome:
        nodes = await self._room.fleet.nodes()
        async with self._room.database.read() as tx:
            given_out = {node: int(size) for node, size in await tx.tuples(_given_out())}
            source = await tx.get(VolumeRow, id=volume.source_volume_id) if volume.source_volume_id else None
        zone = volume.availability_zone if volume.availability_zone != self._room.zone else ""
        choice = choose(nodes, given_out, size=volume.size, zone=zone, near=source.node if source else "")
        if choice.node:
            await self._note(volume.id, node=choice.node, backend=self._room.backend)
            return Again(0)
        if not nodes:
            return Again(NO_NODE_SECONDS, choice.sentence())
        await self._note(volume.id, fault=choice.sentence())
        return Done()

    async def _make(self, volume: VolumeRow, legs: Sequence[Held]) -> Outcome:
        image = None
        if volume.source_image_id:
            image = await self._room.image.ref(volume.source_image_id)
            if image is None and not volume.made_size:
                await self._note(volume.id, fault="The image this volume should be made from is gone.")
                return Done()
        spec = VolumeSpec(
            id=volume.id,
            size_gib=volume.size,
            backend=volume.backend,
            image=image,
            volume_id=volume.source_volume_id,
            snapshot_id=volume.snapshot_id,
        )
        await self._room.fleet.assign(volume.node, Kind.VOLUME, volume.id, spec, volume.generation)
        for leg in legs:
            if leg.node == volume.node and leg.observed == volume.generation:
                facts = msgspec.json.decode(leg.facts, type=VolumeFacts)
                if facts.fault:
                    await self._note(volume.id, fault=facts.fault.message)
                    return Done()
                if facts.size_gib >= volume.size:
                    await self._note(volume.id, made_size=facts.size_gib)
                    return Done()
        return Again(REPORT_SECONDS, "the node has not reported yet")

    async def _note(self, key: str, **facts: object) -> None:
        async def write(tx: Transaction) -> None:
            volume = await tx.get(VolumeRow, id=key)
            if volume is not None:
                await store.change(self._room, tx, volume, **facts)
                tx.wake("volume.changed", key)

        await self._room.database.write(write)

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        async with self._room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_page(True), {"after": after, "most": limit})]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        async with self._room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_page(False), {"after": after, "most": limit})]


@cache
def _page(unsettled: bool) -> Query:
    c = VolumeRow.c
    statement = sa.select(c.id).where(c.id > sa.bindparam("after")).order_by(c.id)
    if unsettled:
        statement = statement.where(c.unsettled == sa.true())
    return Query(statement.limit(sa.bindparam("most", type_=sa.Integer)))


@cache
def _given_out() -> Query:
    c = VolumeRow.c
    return Query(sa.select(c.node, sa.func.sum(c.size)).where(c.node != "").group_by(c.node))
