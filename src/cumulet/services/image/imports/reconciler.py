"""Runs the tasks. A task may be killed at any instruction and is then begun anew, with a new name for the bytes.

While it runs the image is `importing`; in the end it is `active`, or `queued` again with the reason in the task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache

import sqlalchemy as sa
from msgspec.structs import replace

from cumulet.core.db import Query
from cumulet.core.errors import CloudError
from cumulet.core.reconcile import Done, Outcome
from cumulet.drivers.image_store.base import NotStored, StoreFull, TooLarge
from cumulet.drivers.image_store.workshop import NotConverted
from cumulet.lib.ids import new_uuid
from cumulet.services.image.errors import DataRefused, DataTooLarge, ImageNotFound, ImportFailed
from cumulet.services.image.images import status
from cumulet.services.image.images.data import let_go, open_bytes, put
from cumulet.services.image.images.measure import Measure
from cumulet.services.image.images.operations import change, change_receiving
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.imports import progress, web
from cumulet.services.image.imports.methods import COPY_IMAGE, GLANCE_DIRECT, WEB_DOWNLOAD, importing_to, is_converted
from cumulet.services.image.imports.order import Order, order_of
from cumulet.services.image.imports.reading import read_through
from cumulet.services.image.imports.tasks import TOPIC, UNFINISHED, TaskRow, note_begun, note_ended
from cumulet.services.image.room import Image

log = logging.getLogger("cumulet.image")

AT_ONCE = 4
MOST_ATTEMPTS = 3


class ImportReconciler:
    """Looks after tasks one by one, a few at once."""

    topic = TOPIC
    also = ()

    def __init__(self, room: Image) -> None:
        self._room = room
        self._turns = {at_home: asyncio.Semaphore(AT_ONCE) for at_home in (True, False)}
        """Slow web servers keep nobody waiting but those who named them."""

    async def step(self, key: str) -> Outcome:
        async with self._room.database.read() as tx:
            task = await tx.get(TaskRow, id=key)
        if task is None:
            return Done()
        if task.status in UNFINISHED:
            async with self._turns[order_of(task).import_req.method.name != WEB_DOWNLOAD]:
                await self._run(task)
        elif task.expires_at < self._room.clock.now():
            await self._room.database.write(lambda tx: tx.delete(TaskRow, id=key))
        return Done()

    async def _run(self, task: TaskRow) -> None:
        order = order_of(task)
        try:
            if task.attempts >= MOST_ATTEMPTS:
                raise ImportFailed(f"The import was begun {task.attempts} times and never came to its end.")
            await note_begun(self._room, task)
            image = await self._image(order.image_id)
            if order.import_req.method.name == COPY_IMAGE:
                await _copy(self._room, image, order)
            elif order.only_reads:
                await read_through(self._room, image, order)
            elif image.status == "importing":
                await _import(self._room, image, order)
            elif image.status != "active":  # active: it was killed between its last two writes
                raise ImportFailed(f"The image became {image.status} while it waited for its import.")
        except (CloudError, NotStored) as error:
            log.warning("import of image %s failed: %s", order.image_id, error)
            await self._give_up(order, error)
            await note_ended(self._room, task, message=str(error), failed=True)
            return
        await note_ended(self._room, task)

    async def _image(self, image_id: str) -> ImageRow:
        async with self._room.database.read() as tx:
            row = await tx.get(ImageRow, id=image_id)
        if row is None or row.status == "deleted":
            raise ImportFailed(f"Image {image_id} was deleted before its import ended.")
        return row

    async def _give_up(self, order: Order, error: Exception) -> None:
        """Let the image be as before the import, and tell which stores failed."""
        left = ImageRow("", "", "", "", 0, 0)

        def failed(row: ImageRow) -> ImageRow:
            nonlocal left
            left = row
            if order.import_req.method.name == COPY_IMAGE:
                return progress.told(row, importing=(), failed=importing_to(row))
            if order.only_reads and row.has_data and (order.tells or isinstance(error, DataRefused)):
                return progress.fail(row, order.backend)
            return progress.fail(row, order.backend) if row.status == "importing" else row

        try:
            await change(self._room, order.image_id, failed)
        except ImageNotFound:
            return
        if left.status == "importing":
            await _remove(self._room, left.data_key, left.staged_key)

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        values = {"after": after, "most": limit, "now": self._room.clock.now()}
        async with self._room.database.read() as tx:
            return [str(row[0]) for row in await tx.tuples(_unsettled_query(), values)]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return await self.unsettled(after, limit)  # what has ended needs nothing until it expires


@cache
def _unsettled_query() -> Query:
    columns = TaskRow.c
    expired = sa.and_(columns.expires_at > 0, columns.expires_at < sa.bindparam("now", type_=sa.BigInteger))
    return Query(
        sa.select(columns.id)
        .where(columns.id > sa.bindparam("after", type_=sa.String), sa.or_(columns.status.in_(UNFINISHED), expired))
        .order_by(columns.id)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )


async def _import(room: Image, image: ImageRow, order: Order) -> None:
    """Bring the bytes into every chosen store: the first reads them from their source, the others from the first."""
    before, key = image.data_key, new_uuid()
    await room.quota.learn(image.owner)
    source, chunks = await _source(room, image, order)
    if source is not None:
        image = await change(room, image.id, lambda row: progress.like(row, source))
    await change(room, image.id, lambda row: progress.attempt(row, key))
    await _remove(room, before)
    measure = Measure(
        image.disk_format,
        image.container_format,
        algorithm=order.hash_algo or "sha512",
        value=order.hash_value,
        md5=order.checksum,
        # A workshop opens what it converts.
        must_match=room.require_image_format_match or room.workshop is not None,
    )
    done: list[str] = []
    failed: list[str] = []
    async with _as_it_shall_be(room, image, order, measure, chunks) as (measure, chunks, disk_format):
        for name in order.backend:
            bytes_ = room.stores[done[0]].get(key) if done else measure.over(chunks, room.pool)
            try:
                await put(room, room.stores[name], key, bytes_)
                done.append(name)
            except CloudError:
                # A source can be read once; and half a success is only one where the client said so.
                if not done or order.import_req.all_stores_must_succeed:
                    raise
                failed.append(name)
    staged = image.staged_key

    def finish(row: ImageRow) -> ImageRow:
        row = replace(status.finish(row, measure, done), disk_format=disk_format)
        return progress.told(row, importing=(), failed=failed)

    await change_receiving(room, image.id, key, finish)
    await _remove(room, "", staged)


@asynccontextmanager
async def _as_it_shall_be(
    room: Image, image: ImageRow, order: Order, measure: Measure, chunks: AsyncIterator[bytes]
) -> AsyncIterator[tuple[Measure, AsyncIterator[bytes], str]]:
    """What to measure the bytes with, the bytes, and their format: converted, where the operator wants it."""
    if room.workshop is None or not is_converted(order.import_req.method, image, room.import_format, order.hash_value):
        yield measure, chunks, image.disk_format
        return
    wanted, arriving = room.import_format, measure.over(chunks, room.pool)
    try:
        async with room.workshop.converted(
            arriving, image.disk_format, wanted, room.largest, lambda: measure.virtual_size
        ) as made:
            yield Measure(wanted, image.container_format), made, wanted
    except TooLarge as error:
        raise DataTooLarge(f"Image exceeds the storage limit: at most {room.largest} bytes are kept.") from error
    except StoreFull as error:
        raise DataTooLarge(f"Image storage media is full: {error}. Ask the operator to add disk space.") from error
    except NotConverted as error:
        raise DataRefused(f"Image data was refused: {error}") from error


async def _source(room: Image, image: ImageRow, order: Order) -> tuple[ImageRow | None, AsyncIterator[bytes]]:
    """Where the bytes come from, and the image they are those of if there is one."""
    method = order.import_req.method
    if method.name == GLANCE_DIRECT:
        return None, room.staging.get(image.staged_key)
    if method.name == WEB_DOWNLOAD:
        return None, web.fetch(method.uri, room.outside)
    if method.glance_region != room.region or method.glance_service_interface not in ("", "public", "internal"):
        raise ImportFailed(
            f"No image service is known for region {method.glance_region!r}, interface "
            f"{method.glance_service_interface!r}. Images come from {room.region} only."
        )
    async with room.database.read() as tx:
        source = await tx.get(ImageRow, id=method.glance_image_id)
    if source is None or source.status != "active" or not _may_copy(source, image.owner):
        raise ImportFailed(f"There is no active image {method.glance_image_id} in region {method.glance_region}.")
    return source, open_bytes(room, source)


def _may_copy(source: ImageRow, owner: str) -> bool:
    return source.visibility in ("public", "community") or bool(owner and source.owner == owner)


async def _copy(room: Image, image: ImageRow, order: Order) -> None:
    """Bring the bytes of an active image into more stores, one after the other."""
    failed: list[str] = []
    for name in importing_to(image):
        try:
            await put(room, room.stores[name], image.data_key, open_bytes(room, image))
        except CloudError as error:
            log.warning("image %s could not be copied to the store %s: %s", image.id, name, error)
            if order.import_req.all_stores_must_succeed:
                raise
            failed.append(name)
            continue

        def arrived(row: ImageRow, name: str = name) -> ImageRow:
            if row.data_key != image.data_key:
                raise ImportFailed(f"Image {row.id} got other data while it was copied.")
            left = [store for store in importing_to(row) if store != name]
            return progress.told(
                status.with_stores(row, [*(s for s in row.store_list if s != name), name]),
                importing=left,
                failed=failed,
            )

        await change(room, image.id, arrived)
    if failed:
        await change(room, image.id, lambda row: progress.told(row, importing=(), failed=failed))


async def _remove(room: Image, data_key: str, staged_key: str = "") -> None:
    if data_key:
        for store in room.stores.values():
            await let_go(store, data_key)
    if staged_key:
        await let_go(room.staging, staged_key)
