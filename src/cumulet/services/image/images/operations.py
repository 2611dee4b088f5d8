"""What may be done to an image. The only code that writes its rows.

Every change has one form: read the row, decide on the new one with a pure function, write what differs if nobody else
wrote meanwhile, and move the quota by what the new row counts more than the old one. So usage cannot drift.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.db.engine import Collision
from cumulet.services.image.errors import ImageExists, ImageNotFound, UploadOvertaken
from cumulet.services.image.images.row import ImageRow, MemberRow, PropertyRow, TagRow, counted
from cumulet.services.image.room import SIZES, Image

TOPIC = "image"

Decide = Callable[[ImageRow], ImageRow]
Beside = Callable[[Transaction, ImageRow], Awaitable[None]]
"""What else is written in the same transaction."""


async def _nothing(tx: Transaction, row: ImageRow) -> None:
    return


def missing(image_id: str) -> ImageNotFound:
    return ImageNotFound(f"Failed to find image {image_id[:64]}")


async def create(room: Image, row: ImageRow, *, beside: Beside = _nothing) -> None:
    """Store a new image. Raises ImageExists, OverQuota."""
    await room.quota.learn(row.owner)

    async def write(tx: Transaction) -> None:
        await _account(room, tx, row.owner, counted(row))
        await tx.insert(row)
        await _index(tx, None, row)
        await beside(tx, row)
        tx.wake(TOPIC, row.id)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise ImageExists(f"Image ID {row.id} already exists! Choose another one, or none.") from taken


async def change(room: Image, image_id: str, decide: Decide, *, beside: Beside = _nothing) -> ImageRow:
    """Bring an image to what `decide` makes of it. Raises ImageNotFound, OverQuota, and whatever `decide` raises."""

    async def write(tx: Transaction) -> ImageRow:
        before = await tx.get(ImageRow, id=image_id)
        if before is None or before.status == "deleted":
            raise missing(image_id)
        after = decide(before)
        if after == before:
            return before
        after = replace(after, updated_at=room.clock.now(), revision=before.revision + 1)
        await rewrite(room, tx, before, after)
        await beside(tx, after)
        return after

    return await room.database.write(write)


async def change_receiving(room: Image, image_id: str, key: str, decide: Decide) -> ImageRow:
    """As `change`, if the image still waits for the bytes of this name. Raises UploadOvertaken."""

    def if_ours(row: ImageRow) -> ImageRow:
        if key not in (row.data_key, row.staged_key) or row.status not in ("saving", "uploading", "importing"):
            raise UploadOvertaken(f"Image {image_id} no longer waits for this data: it was deleted or began anew.")
        return decide(row)

    try:
        return await change(room, image_id, if_ours)
    except ImageNotFound as gone:
        raise UploadOvertaken(
            f"Image {image_id} could not be found after upload. It may have been deleted meanwhile."
        ) from gone


async def note_alive(room: Image, image_id: str, key: str) -> None:
    """Record that the process that receives these bytes is alive."""
    now = room.clock.now()

    async def write(tx: Transaction) -> None:
        await tx.update(ImageRow, {"id": image_id, "data_key": key, "status": "saving"}, touched_at=now)
        await tx.update(ImageRow, {"id": image_id, "staged_key": key, "status": "uploading"}, touched_at=now)

    await room.database.write(write)


async def rewrite(room: Image, tx: Transaction, before: ImageRow, after: ImageRow) -> None:
    """Write what differs between two states of a row."""
    names = [name for name in ImageRow.__struct_fields__ if getattr(before, name) != getattr(after, name)]
    values = {name: getattr(after, name) for name in names}
    if not await tx.update(ImageRow, {"id": before.id, "revision": before.revision}, **values):
        raise Collision("the image changed meanwhile")
    old, new = counted(before), counted(after)
    if before.owner == after.owner:
        await _account(room, tx, after.owner, {name: new.get(name, 0) - old.get(name, 0) for name in {**old, **new}})
    else:
        await _account(room, tx, after.owner, new)
        await room.quota.give_back(tx, before.owner, **old)
    await _index(tx, before, after)
    tx.wake(TOPIC, after.id)


async def _account(room: Image, tx: Transaction, owner: str, changes: dict[str, int]) -> None:
    """Move the usage of an image's owner. Sizes are known when the bytes are there; data.py refuses the next ones."""
    await room.quota.take(tx, owner, **{name: n for name, n in changes.items() if name not in SIZES})
    await room.quota.count(tx, owner, **{name: n for name, n in changes.items() if name in SIZES})


async def forget(room: Image, image_id: str) -> None:
    """Drop the row of a deleted image whose bytes are gone."""

    async def write(tx: Transaction) -> None:
        if await tx.delete(ImageRow, id=image_id, status="deleted"):
            await tx.delete(MemberRow, image_id=image_id)

    await room.database.write(write)


async def _index(tx: Transaction, before: ImageRow | None, after: ImageRow) -> None:
    """Keep the tables that lists are filtered by in step with the row."""
    gone = after.status == "deleted"
    if before is None or gone or before.properties != after.properties:
        if before is not None:
            await tx.delete(PropertyRow, image_id=after.id)
        if not gone:
            await tx.insert_all(PropertyRow(after.id, name, value) for name, value in after.properties_dict.items())
    if before is None or gone or before.tags != after.tags:
        if before is not None:
            await tx.delete(TagRow, image_id=after.id)
        if not gone:
            await tx.insert_all(TagRow(after.id, tag) for tag in after.tag_list)
