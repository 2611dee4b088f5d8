"""Learning what lies at the place of an image that is only read: how much, of which format, with which digests.

An image whose owner claimed digests waits until they are found to be true; any other is usable at once. The digest is
remembered in any case, for nodes fetch nothing that they cannot verify.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from msgspec.structs import replace

from cumulet.lib.clock import SECOND
from cumulet.services.image.errors import DataTooLarge, DownloadFailed, ImportFailed
from cumulet.services.image.images.measure import Measure
from cumulet.services.image.images.operations import change
from cumulet.services.image.images.row import UNKNOWN, ImageRow
from cumulet.services.image.imports import progress, web
from cumulet.services.image.imports.order import Order
from cumulet.services.image.room import Image

LOOK_SECONDS = 2


async def read_through(room: Image, image: ImageRow, order: Order) -> None:
    """Raises DownloadFailed, DataRefused, DataTooLarge, and ImportFailed when the image goes away meanwhile."""
    url = order.import_req.method.uri
    size = await web.size(url, room.outside)
    if size > room.largest:
        raise DataTooLarge(f"Image exceeds the storage limit: at most {room.largest} bytes are kept.")
    judged = order.tells and room.secure_hash
    if image.status == "importing" and not (judged and order.hash_value):
        image = await change(room, image.id, lambda row: _usable(row, size, order))
    measure = Measure(
        image.disk_format,
        image.container_format,
        size,
        algorithm=order.hash_algo or "sha512",
        value=order.hash_value if judged else "",
        md5=order.checksum if judged else "",
        must_match=room.require_image_format_match,
    )
    async for _ in measure.over(_while_wanted(room, image.id, web.fetch(url, room.outside), size), room.pool):
        pass
    await change(room, image.id, lambda row: _known(row, measure, tells=judged))


def _usable(row: ImageRow, size: int, order: Order) -> ImageRow:
    """The image may be used; its digests are the client's word, or still to come."""
    said = {"hash_algo": order.hash_algo or "sha512", "hash_value": order.hash_value, "checksum": order.checksum}
    return replace(progress.told(row, importing=(), failed=()), status="active", size=size, **said)


def _known(row: ImageRow, measure: Measure, *, tells: bool) -> ImageRow:
    row = replace(row, digest=measure.sha512, virtual_size=measure.virtual_size or UNKNOWN)
    if not tells:
        return row
    row = replace(row, size=measure.size, checksum=measure.md5)
    row = replace(row, hash_algo=measure.algorithm, hash_value=measure.hash_value)
    if row.status == "importing":
        row = replace(progress.told(row, importing=(), failed=()), status="active")
    return row


async def _while_wanted(
    room: Image, image_id: str, source: AsyncGenerator[bytes, None], most: int
) -> AsyncIterator[bytes]:
    """The same bytes, as long as the image is there and they are no more than were announced."""
    looked = room.clock.now()
    got = 0
    async with aclosing(source) as chunks:  # nobody goes on to send when nobody wants it any more
        async for chunk in chunks:
            got += len(chunk)
            if got > most:
                raise DownloadFailed(f"{most} bytes were announced and more came.")
            yield chunk
            if room.clock.now() - looked > LOOK_SECONDS * SECOND:
                looked = room.clock.now()
                async with room.database.read() as tx:
                    row = await tx.get(ImageRow, id=image_id)
                if row is None or row.status == "deleted":
                    raise ImportFailed(f"Image {image_id} was deleted while it was read.")
