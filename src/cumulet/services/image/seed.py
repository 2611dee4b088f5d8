"""The image that every new cloud offers: `tiny`, public."""

from __future__ import annotations

import struct
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from cumulet.services.image.errors import ImageExists
from cumulet.services.image.images import data, status
from cumulet.services.image.images.measure import BATCH
from cumulet.services.image.images.operations import change, create
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.room import Image

NAME = "tiny"
_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "https://cumulet/images/tiny"))
"""The same in every cloud, so that seeding twice, or from two processes, makes one image."""

SIMULATED_SIZE = 64 << 20


async def seed(room: Image, *, tiny: Path | None, simulated: bool) -> None:
    """Make sure that the image is there: from a file, or in simulation an empty disk. It may be run at every start."""
    if tiny is None and not simulated:
        return
    now = room.clock.now()
    row = ImageRow(
        _ID, "", "queued", "public", now, now, name=NAME, disk_format="qcow2", container_format="bare", min_ram=64
    )
    try:
        await create(room, row)
    except ImageExists:
        async with room.database.read() as tx:
            known = await tx.get(ImageRow, id=_ID)
        if known is None or known.status not in ("saving", "queued"):
            return
        if known.status == "saving":  # a start before this one was killed in the middle
            await change(room, _ID, lambda row: status.return_to_queue(row) if row.status == "saving" else row)
    await data.upload(room, _ID, _file(tiny) if tiny is not None else _once(empty_qcow2(SIMULATED_SIZE)))


async def _file(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(BATCH):
            yield piece


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def empty_qcow2(virtual_size: int) -> bytes:
    """A whole qcow2 file (version 2) of a disk of zeros: header, reference counts, and tables that name no cluster."""
    cluster = 1 << 16
    entries = -(-virtual_size // (cluster * (cluster // 8)))
    # In clusters of 64 KiB: 0 the header, 1 the table of reference counts, 2 its one block, 3 the top mapping table.
    header = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, virtual_size, 0, entries, 3 * cluster, cluster, 1, 0, 0
    )
    table = struct.pack(">Q", 2 * cluster)
    counts = struct.pack(">4H", 1, 1, 1, 1)
    mapping = bytes(8 * entries)
    return b"".join(part.ljust(cluster, b"\0") for part in (header, table, counts, mapping))
