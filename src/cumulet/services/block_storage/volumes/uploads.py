"""Images of volumes: begun by an action, filled by a one-shot that carries the bytes from node to image store."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.contracts.volumes import COPY_FORMATS
from cumulet.core.db import Id, Instant, Number, Query, Ref, Row, Short, Transaction, stored
from cumulet.core.errors import CloudError
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Bool, Enum, Text
from cumulet.lib.clock import SECOND, iso_micros
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.errors import InvalidInput, InvalidVolume
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types.row import TypeRow
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.resource import volumes
from cumulet.services.block_storage.volumes.row import VolumeRow

TOPIC = "block_storage.upload"
RULE = "volume_extension:volume_actions:"
UPLOADING = "uploading"
ATTEMPTS = 3
RETRY_SECONDS = 5.0
DEADLINE = 6 * 3600 * SECOND

# What a volume remembers of its image that says nothing of an image made of the volume.
_NOT_INHERITED = frozenset(
    {"image_id", "image_name", "checksum", "container_format", "disk_format", "min_disk", "min_ram", "size"}
)


@stored("block_storage_uploads", sa.Index("block_storage_uploads_volume", "volume_id"))
class UploadRow(Row):
    """An image that a volume is being copied into. The row goes when that ended."""

    id: Id
    """The image's."""
    volume_id: Ref
    disk_format: Short
    attempts: Number
    created_at: Instant


@volumes.action(
    "os-volume_upload_image",
    RULE + "upload_image",
    Field("image_name", Text(255), create=REQUIRED),
    Field("force", Bool, create=OPTIONAL),
    Field("container_format", Enum("bare"), create=OPTIONAL),
    Field("disk_format", Enum(*COPY_FORMATS), create=OPTIONAL),
    Field("visibility", Enum("community", "public", "private", "shared"), create=OPTIONAL, since="3.1"),
    Field("protected", Bool, create=OPTIONAL, since="3.1"),
)
async def upload(room: BlockStorage, call: Call, row: VolumeRow) -> dict[str, Any]:
    wish = call.wish
    visibility = wish.get("visibility") or "private"
    if visibility == "public":
        call.allow(RULE + "upload_public", volumes.target(row))
    if wish.get("protected"):
        raise InvalidInput("an image is protected when it is complete, by changing the image")
    if row.encryption_key_id:
        raise InvalidVolume(
            "its content leaves its node only decrypted; copy it inside a server to make an image of it"
        )
    if row.status != "available":
        raise InvalidVolume(f"Volume status must be available to make an image of it, not {row.status}")
    image_id, disk_format = new_uuid(), wish.get("disk_format") or "raw"
    inherited: dict[str, str] = msgspec.json.decode(row.image_metadata)
    await room.image.create_for_snapshot(
        call.caller,
        image_id,
        wish["image_name"],
        {name: value for name, value in inherited.items() if name not in _NOT_INHERITED},
        disk_format=disk_format,
        visibility=visibility,
    )
    try:
        volume, kind = await _begin(room, UploadRow(image_id, row.id, disk_format, 0, room.clock.now()))
    except CloudError:
        await room.image.abandon(image_id)
        raise
    begun = {
        "id": volume.id,
        "status": volume.status,
        "size": volume.size,
        "display_description": volume.description or None,
        "updated_at": iso_micros(volume.updated_at),
        "volume_type": kind and {"id": kind.id, "name": kind.name, "description": kind.description or None},
        "image_id": image_id,
        "image_name": wish["image_name"],
        "container_format": "bare",
        "disk_format": disk_format,
    }
    if call.version >= version("3.1"):
        begun |= {"visibility": visibility, "protected": False}
    return {"os-volume_upload_image": begun}


async def _begin(room: BlockStorage, wish: UploadRow) -> tuple[VolumeRow, TypeRow | None]:
    """Nobody else may have the volume until its bytes are away."""

    async def write(tx: Transaction) -> tuple[VolumeRow, TypeRow | None]:
        current = await store.held(room, tx, wish.volume_id)
        if current.status != "available":
            raise InvalidVolume(f"Volume status must be available to make an image of it, not {current.status}")
        await tx.insert(wish)
        tx.wake(TOPIC, wish.id)
        kind = await tx.get(TypeRow, id=current.type_id) if current.type_id else None
        return await store.change(room, tx, current.id, hold=UPLOADING), kind

    return await room.database.write(write)


class UploadReconciler:
    """Fills the images of volumes, each at its own time."""

    topic = TOPIC
    also: tuple[str, ...] = ()

    def __init__(self, room: BlockStorage) -> None:
        self._room = room

    async def step(self, key: str) -> Outcome:
        room = self._room
        async with room.database.read() as tx:
            row = await tx.get(UploadRow, id=key)
            volume = await tx.get(VolumeRow, id=row.volume_id) if row else None
        if row is None:
            return Done()
        # An administrator can have taken the hold away, and then anybody may have the volume.
        held = volume is not None and volume.wanted and volume.hold == UPLOADING
        late = row.attempts >= ATTEMPTS or room.clock.now() - row.created_at > DEADLINE
        if volume is None or not held or late:
            return await self._end(row, failed=True)
        await room.database.write(lambda tx: tx.update(UploadRow, {"id": key}, attempts=row.attempts + 1))
        pieces = room.fleet.stream(
            volume.node, "volume", backend=volume.backend, volume=volume.id, format=row.disk_format
        )
        try:
            await room.image.upload(key, pieces)
        except CloudError as error:
            if error.status in (404, 409, 413):
                return await self._end(row, failed=True)
            return Again(RETRY_SECONDS, error.message)
        return await self._end(row)

    async def _end(self, row: UploadRow, *, failed: bool = False) -> Outcome:
        """The volume is free again, and the image of a failure goes."""
        if failed:
            await self._room.image.abandon(row.id)

        async def write(tx: Transaction) -> None:
            await tx.delete(UploadRow, id=row.id)
            volume = await tx.get(VolumeRow, id=row.volume_id)
            if volume is not None and volume.hold == UPLOADING:
                await store.change(self._room, tx, volume.id, hold="")

        await self._room.database.write(write)
        return Done()

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        async with self._room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_keys(), {"after": after, "most": limit})]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return await self.unsettled(after, limit)


@cache
def _keys() -> Query:
    return Query(
        sa.select(UploadRow.c.id)
        .where(UploadRow.c.id > sa.bindparam("after", type_=sa.String))
        .order_by(UploadRow.c.id)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )
