"""Fills the images of servers, however often it is killed, and ends those that nobody waits for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import cache

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.core.errors import CloudError
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.lib.clock import SECOND
from cumulet.services.compute.history import finish_action
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.row import ServerRow, Wanted
from cumulet.services.compute.servers.store import note
from cumulet.services.compute.snapshots.begin import drop
from cumulet.services.compute.snapshots.row import INTENT, STALE, SnapshotRow, copies_of

ATTEMPTS = 3
RETRY_SECONDS = 5.0
LOOK_AGAIN = 1.0
INTENT_SECONDS = 60
ACTIONS = {"snapshot": "createImage", "backup": "createBackup"}
HOUR = 3600 * SECOND
DEADLINE = 6 * HOUR


class SnapshotReconciler:
    """Fills the images of servers, each in its own time."""

    topic = "snapshot"
    also: tuple[str, ...] = ()

    def __init__(self, room: Compute) -> None:
        self.room = room

    async def step(self, key: str) -> Outcome:
        async with self.room.database.read() as tx:
            row = await tx.get(SnapshotRow, id=key)
            server = await tx.get(ServerRow, id=row.server_id) if row else None
        if row is None:
            return Done()
        now = self.room.clock.now()
        if row.kind in (INTENT, STALE):
            return await self.drop_stale_intent(row, now)
        if server is None or server.deleted_at or server.wanted == Wanted.GONE or not server.host:
            return await self.end(row, failed="The server is no longer there.")
        if now - row.created_at > DEADLINE:
            return await self.end(row, failed=f"The image was not complete after {DEADLINE // HOUR} hours.")
        return await (self.take_copies(row, server) if row.copies != "[]" else self.copy_disk(row, server))

    async def drop_stale_intent(self, row: SnapshotRow, now: int) -> Outcome:
        """Whoever began this image has not come back."""
        if row.kind == INTENT:
            if now - row.created_at < INTENT_SECONDS * SECOND:
                return Again(INTENT_SECONDS, "its request may still be at work")
            # The request may come back at this very moment: only one of the two finds the intent as it was.
            key = {"id": row.id, "kind": INTENT}
            if not await self.room.database.write(lambda tx: tx.update(SnapshotRow, key, kind=STALE)):
                return Again()
        await drop(self.room, row.id)
        return Done()

    async def copy_disk(self, row: SnapshotRow, server: ServerRow) -> Outcome:
        """The bytes go from node to store as they come."""
        attempt = row.attempts + 1
        if attempt > ATTEMPTS:
            return await self.end(row, failed=f"Copying the disk was interrupted {ATTEMPTS} times.")
        await self.room.database.write(lambda tx: tx.update(SnapshotRow, {"id": row.id}, attempts=attempt))
        pieces = self.room.fleet.stream(server.host, "snapshot", machine=server.id, disk="root", format="qcow2")
        try:
            await self.room.images.upload(row.id, pieces)
        except CloudError as error:
            if attempt == ATTEMPTS or error.status in (404, 409, 413):
                return await self.end(row, failed=error.message)
            return Again(RETRY_SECONDS, error.message)
        if row.kind == "backup":
            await self.rotate(row, server)
        return await self.end(row)

    async def take_copies(self, row: SnapshotRow, server: ServerRow) -> Outcome:
        """The image is whole when all its snapshots are."""
        waiting = False
        for copy in copies_of(row):
            volume, snapshot = copy.volume_id, copy.snapshot_id
            try:
                status = await self.room.volumes.take_snapshot(volume, snapshot, server.user_id, copy.name)
            except CloudError as error:
                if error.status >= 500:
                    return Again(RETRY_SECONDS, error.message)
                return await self.end(row, failed=error.message)
            if status not in ("creating", "available"):
                return await self.end(row, failed=f"Snapshot {snapshot} of volume {volume} is {status}.")
            waiting = waiting or status == "creating"
        if waiting:
            return Again(LOOK_AGAIN, "the snapshots of its volumes are being taken")
        try:
            await self.room.images.upload(row.id, nothing())
        except CloudError as error:
            return await self.end(row, failed=error.message)
        return await self.end(row)

    async def rotate(self, row: SnapshotRow, server: ServerRow) -> None:
        """Of a server's backups of one type only the newest stay, as many as were asked for."""
        backups = [
            image
            for image in await self.room.images.with_property(server.project_id, "instance_uuid", server.id)
            if image.properties.get("image_type") == "backup"
        ]
        type_of = {image.id: image.properties.get("backup_type") for image in backups}
        same = [image.id for image in backups if type_of[image.id] == type_of.get(row.id)]
        for image_id in same[: max(0, len(same) - row.rotation)]:
            await self.room.images.delete(image_id)

    async def end(self, row: SnapshotRow, *, failed: str = "") -> Outcome:
        """The server is told, and the image of a failure goes."""
        if failed:
            await self.room.images.abandon(row.id)
            for copy in copies_of(row):
                await self.room.volumes.drop_snapshot(copy.snapshot_id)

        def alter(server: ServerRow) -> None:
            server.job = ""
            if failed and row.kind == "shelve" and server.wanted == Wanted.SHELVED:
                # Without its image it could not come back: it stays where it is.
                server.wanted, server.shelved_image_id = Wanted.STOPPED, ""

        await note(self.room, row.server_id, alter)

        async def write(tx: Transaction) -> None:
            await tx.delete(SnapshotRow, id=row.id)
            if row.kind != "shelve":  # a shelved server is not off its host yet
                await finish_action(tx, row.server_id, ACTIONS[row.kind], self.room.clock.now(), error=failed)
            tx.wake("server", row.server_id)

        await self.room.database.write(write)
        return Done()

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        async with self.room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_keys(), {"after": after, "most": limit})]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return await self.unsettled(after, limit)


async def nothing() -> AsyncIterator[bytes]:
    """The bytes of an image that has none."""
    return
    yield b""


@cache
def _keys() -> Query:
    return Query(
        sa.select(SnapshotRow.c.id)
        .where(SnapshotRow.c.id > sa.bindparam("after", type_=sa.String))
        .order_by(SnapshotRow.c.id)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )
