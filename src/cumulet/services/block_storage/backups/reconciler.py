"""How the store follows the wishes for backups: what the node sends goes in, and what should go is removed.

An object appears whole or not at all, under the backup's id. Whoever is killed on the way begins again, and nothing is
left of what he had begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.core.errors import CloudError
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.drivers.image_store.base import StoreFull, TooLarge, Unreachable
from cumulet.lib.clock import SECOND
from cumulet.lib.sparse import BrokenOff, NotSparse
from cumulet.services.block_storage import messages
from cumulet.services.block_storage.backups import operations, store
from cumulet.services.block_storage.backups.content import GIB, LARGEST_TABLE, Damaged, Packing, Table, check, table_at
from cumulet.services.block_storage.backups.reading import place_of
from cumulet.services.block_storage.backups.row import HOLD, BackupRow
from cumulet.services.block_storage.errors import BackupNotFound
from cumulet.services.block_storage.messages import Action
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow, on_node
from cumulet.services.block_storage.volumes.row import VolumeRow

ATTEMPTS = 10
RETRY_SECONDS = 5.0
DEADLINE = 24 * 3600 * SECOND


class BackupReconciler:
    """Fills and empties the store of backups, each backup at its own time."""

    topic = store.TOPIC
    also: tuple[str, ...] = ()

    def __init__(self, room: BlockStorage) -> None:
        self._room = room

    async def step(self, key: str) -> Outcome:
        async with self._room.database.read() as tx:
            row = await tx.get(BackupRow, id=key)
        if row is None:
            return Done()
        if not row.wanted:
            return await self._remove(row)
        if row.made or row.fault:
            return Done()
        return await (self._verify(row) if row.object_id else self._make(row))

    # ---- making ------------------------------------------------------------------------------------------------------

    async def _make(self, row: BackupRow) -> Outcome:
        room = self._room
        async with room.database.read() as tx:
            volume = await tx.get(VolumeRow, id=row.volume_id)
            snapshot = await tx.get(SnapshotRow, id=row.snapshot_id) if row.snapshot_id else None
            parent = await tx.get(BackupRow, id=row.parent_id) if row.parent_id else None
        # An administrator can have taken the hold away, and then it is not known what the copy would be of.
        held = snapshot if row.snapshot_id else volume
        if volume is None or held is None or not held.wanted or held.hold != HOLD:
            return await self._fail(row, "What it was to be made of is gone, or was taken for something else.")
        if row.attempts >= ATTEMPTS or room.clock.now() - row.created_at > DEADLINE:
            return await self._fail(row, f"The node {volume.node} did not send the whole content of the volume.")
        await room.database.write(lambda tx: tx.update(BackupRow, {"id": row.id}, attempts=row.attempts + 1))
        name = on_node(snapshot) if snapshot else ""
        pieces = room.fleet.stream(volume.node, "volume_data", backend=volume.backend, volume=volume.id, snapshot=name)
        limit = row.size * GIB + LARGEST_TABLE
        try:
            before = await self._table(parent) if row.parent_id else None
            packing = Packing(row.id, row.size, operations.kept(row), before)
            await room.backup_store.put(row.id, packing.pack(pieces), limit)
        except (Damaged, TooLarge) as error:
            return await self._fail(row, f"The backup cannot be made: {error}")
        except StoreFull:
            return await self._fail(row, "The store of backups has no room left.")
        except CloudError as error:
            if error.status in (404, 409):
                return await self._fail(row, error.message)
            return Again(RETRY_SECONDS, error.message)
        except (BrokenOff, NotSparse, Unreachable) as error:
            return Again(RETRY_SECONDS, str(error))
        place = packing.place
        assert place is not None
        made = {"object_id": row.id, "table_start": place.start, "table_length": place.length}
        return await self._end(row, **made, table_digest=place.digest, made=True)

    async def _table(self, parent: BackupRow | None) -> Table:
        if parent is None or not parent.made:
            raise Damaged("the backup that it should add to is gone")
        return await table_at(self._room.backup_store, place_of(parent))

    async def _verify(self, row: BackupRow) -> Outcome:
        """A record that came from elsewhere is believed when the store holds what it names."""
        try:
            table = await table_at(self._room.backup_store, place_of(row))
            await check(self._room.backup_store, table)
        except Damaged as error:
            return await self._fail(row, f"The store of backups does not hold it: {error}")
        if table.size_gib != row.size:
            return await self._fail(row, f"It has {table.size_gib} GiB, not the {row.size} of its record.")
        return await self._end(row, made=True, volume=msgspec.json.encode(table.volume).decode())

    async def _fail(self, row: BackupRow, reason: str) -> Outcome:
        return await self._end(row, fault=reason)

    async def _end(self, row: BackupRow, **values: Any) -> Outcome:
        """What it was made of is free again, and the backup is what it is now."""
        room = self._room

        async def write(tx: Transaction) -> None:
            await operations.release(room, tx, row)
            try:
                current = await store.held(room, tx, row.id)
            except BackupNotFound:
                return
            await store.change(tx, current, **values)
            if reason := values.get("fault"):
                kind = "VOLUME_BACKUP"
                await messages.note(room, tx, row.project_id, kind, row.id, Action.BACKUP_CREATE, reason)

        await room.database.write(write)
        return Again(0)

    # ---- ending ------------------------------------------------------------------------------------------------------

    async def _remove(self, row: BackupRow) -> Outcome:
        """The bytes first: a row without bytes is looked at again, bytes without a row by nobody."""
        key = row.object_id or row.id
        async with self._room.database.read() as tx:
            used = await tx.count(BackupRow, object_id=key, wanted=True)
        if not used:
            await self._room.backup_store.remove(key)
        await self._room.database.write(lambda tx: store.remove(tx, row))
        return Done()

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        async with self._room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_page(True), {"after": after, "most": limit})]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        async with self._room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_page(False), {"after": after, "most": limit})]


@cache
def _page(unsettled: bool) -> Query:
    c = BackupRow.c
    statement = sa.select(c.id).where(c.id > sa.bindparam("after", type_=sa.String)).order_by(c.id)
    if unsettled:
        making = sa.and_(c.made == sa.false(), c.fault == "")
        statement = statement.where(sa.or_(c.wanted == sa.false(), making))
    return Query(statement.limit(sa.bindparam("most", type_=sa.Integer)))
