"""Receiving and giving the bytes of images.

Before the first byte, the row names the place where this attempt will put them (a key of its own); after the last one,
the row becomes active if it still names that place. Whatever happens in between, bytes without a row that names them
belong to nobody, and the reconcilers remove them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from cumulet.core.errors import CloudError, OverQuota
from cumulet.drivers.image_store.base import ImageStore, NotStored, Refused, StoreFull, TooLarge, Unreachable
from cumulet.drivers.image_store.web import WebStore
from cumulet.lib.ids import new_uuid
from cumulet.services.image.cache import rows as cached
from cumulet.services.image.errors import DataTooLarge, StoreUnavailable, UnknownStore, UploadOvertaken
from cumulet.services.image.images import status
from cumulet.services.image.images.locations import Location, locations, stores_of
from cumulet.services.image.images.measure import Measure
from cumulet.services.image.images.operations import change, change_receiving, note_alive
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.room import Image

log = logging.getLogger("cumulet.image")

BEAT_SECONDS = 10.0


def store_named(room: Image, name: str) -> ImageStore:
    """The store of this name; the default one for an empty name. Raises UnknownStore."""
    if name and name == room.web_store:
        raise UnknownStore(f"The store {name} is read-only. Choose another one.")
    try:
        return room.stores[name or room.default_store]
    except KeyError:
        known = ", ".join(room.stores)
        raise UnknownStore(f"There is no store {name[:64]!r}. The stores here are {known}.") from None


async def upload(
    room: Image, image_id: str, chunks: AsyncIterator[bytes], *, store: str = "", announced: int | None = None
) -> ImageRow:
    """Take an image's bytes; it becomes active. When they are refused or stop coming, it returns to the queue."""
    chosen = store or room.default_store
    target = store_named(room, chosen)
    await refuse_if_full(room, image_id, "image_size_total")
    key = new_uuid()
    row = await change(room, image_id, lambda row: status.begin_upload(row, key, room.clock.now()))
    must_match = room.require_image_format_match
    measure = Measure(row.disk_format, row.container_format, announced, must_match=must_match)
    async with _receiving(room, image_id, key, target):
        await put(room, target, key, measure.over(chunks, room.pool))
        return await change_receiving(room, image_id, key, lambda row: status.finish(row, measure, [chosen]))


async def stage(room: Image, image_id: str, chunks: AsyncIterator[bytes], *, announced: int | None = None) -> None:
    """Take an image's bytes for an import that will be asked for later. They are inspected then."""
    key = new_uuid()
    await refuse_if_full(room, image_id, "image_stage_total")
    await change(room, image_id, lambda row: status.begin_staging(row, key, room.clock.now()))
    measure = Measure("", "compressed", announced)
    async with _receiving(room, image_id, key, room.staging):
        await put(room, room.staging, key, measure.over(chunks, room.pool))
        await change_receiving(room, image_id, key, lambda row: status.finish_staging(row, measure.size))


async def put(room: Image, store: ImageStore, key: str, chunks: AsyncIterator[bytes]) -> None:
    """Keep bytes in a store, its refusals in words of this service."""
    try:
        await store.put(key, chunks, room.largest)
    except TooLarge as error:
        raise DataTooLarge(f"Image exceeds the storage limit: at most {room.largest} bytes are kept.") from error
    except Unreachable as error:
        raise StoreUnavailable(f"The store {store.name} takes no data at the moment: {error}") from error
    except StoreFull as error:
        raise DataTooLarge(
            f"Image storage media is full: the store {store.name} has no room left. Delete images or add disk space."
        ) from error


async def open_bytes(
    room: Image, row: ImageRow, start: int = 0, length: int | None = None, prefer: Sequence[str] = ()
) -> AsyncIterator[bytes]:
    """The bytes of an image that has some, from the cache or from the first of its locations that can be read."""
    entry = await cached.hit(room, row) if room.cache is not None else None
    if entry is not None and room.cache is not None:
        chunks = await cached.read(room.cache, entry, start, length)
        if chunks is not None:
            async for piece in chunks:
                yield piece
            return
        await cached.forget(room, entry)
    async for piece in from_stores(room, row, start, length, prefer):
        yield piece
    if entry is None and room.cache is not None and length is None and _is_distant(room, row):
        await cached.queue(room, row.id)


def _is_distant(room: Image, row: ImageRow) -> bool:
    """Whether all its bytes come over a network, and a cache could hold them."""
    near = [name for name in row.store_list if name in room.stores and not room.stores[name].distant]
    return not near and row.size <= room.cache_limit


async def from_stores(
    room: Image, row: ImageRow, start: int = 0, length: int | None = None, prefer: Sequence[str] = ()
) -> AsyncIterator[bytes]:
    """The bytes from the stores that are preferred, then from the others by their weight."""
    for location in sorted(locations(row, room.weight), key=lambda location: location.store not in prefer):
        begun = False
        try:
            async for piece in _read(room, row, location, start, length):
                begun = True
                yield piece
            return
        except (NotStored, Unreachable, Refused) as error:
            log.warning("image %s cannot be read from the store %s: %s", row.id, location.store, error)
            if begun:
                stopped = f"The store {location.store} stopped giving the data of image {row.id}."
                raise StoreUnavailable(stopped) from error
    named = ", ".join(stores_of(row, room.weight)) or "none"
    raise StoreUnavailable(
        f"No store gives the data of image {row.id}, which lies in {named}. Ask the operator to look at the stores."
    )


async def begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes, the first of them awaited: what cannot be read is refused before the answer begins."""
    first = await anext(chunks, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        if first:
            yield first
        async for chunk in chunks:
            yield chunk

    return all_of_them()


def _read(room: Image, row: ImageRow, location: Location, start: int, length: int | None) -> AsyncIterator[bytes]:
    """Raises NotStored for a store that the settings no longer name: its rows stay, until it comes back."""
    if location.store in room.stores:
        return room.stores[location.store].get(row.data_key, start, length)
    if location.store == room.web_store:
        # What lies there may have grown meanwhile; nobody was promised more.
        return WebStore(room.outside).get(location.url, start, row.size - start if length is None else length)
    raise NotStored(f"the settings name no store {location.store!r}")


async def remove_bytes(room: Image, row: ImageRow) -> None:
    """Remove every copy of an image's bytes, staged ones too."""
    if row.data_key:
        for store in room.stores.values():
            await let_go(store, row.data_key)
    if row.staged_key:
        await let_go(room.staging, row.staged_key)


async def let_go(store: ImageStore, key: str) -> None:
    """Remove bytes that no row names any more. What a store cannot do now, its sweep does later."""
    try:
        await store.remove(key)
    except Unreachable as error:
        log.warning("data %s stays in the store %s for now: %s", key, store.name, error)


@asynccontextmanager
async def _receiving(room: Image, image_id: str, key: str, store: ImageStore) -> AsyncIterator[None]:
    """While bytes arrive: say so every few seconds, and leave neither bytes nor a wrong status when it ends badly."""
    room.receiving.add(key)
    beat = asyncio.create_task(_beat(room, image_id, key))
    try:
        yield
    except BaseException as error:
        # Best effort: a process that dies here leaves it to the reconcilers.
        await let_go(store, key)
        try:
            await change_receiving(room, image_id, key, status.return_to_queue)
        except UploadOvertaken:
            log.info("image %s went away while its data arrived: %s", image_id, error)
        raise
    finally:
        beat.cancel()
        room.receiving.discard(key)


async def _beat(room: Image, image_id: str, key: str) -> None:
    while True:
        await room.clock.sleep(BEAT_SECONDS)
        try:
            await note_alive(room, image_id, key)
        except CloudError as error:
            log.warning("cannot record that image %s is still arriving: %s", image_id, error)


async def refuse_if_full(room: Image, image_id: str, size: str) -> None:
    """Refuse before the first byte when the project holds more than it may of `size`, one of SIZES.

    How much will come is not known, so the last image may go beyond the limit; after it nothing is taken.
    """
    async with room.database.read() as tx:
        row = await tx.get(ImageRow, id=image_id)
    if row is None:
        return
    await room.quota.learn(row.owner)
    async with room.database.read() as tx:
        limit = (await room.quota.limits(tx, row.owner))[size]
        used = (await room.quota.usage(tx, row.owner))[size]
    if 0 <= limit < used:
        raise OverQuota(f"Quota exceeded for {size}: {used} of {limit} MiB are used. Delete images first.", (size,))
