"""Images of servers that boot from volumes: they hold no bytes, and name the snapshots that they stand for."""

from __future__ import annotations

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.services.block_storage.errors import InvalidInput
from cumulet.services.block_storage.room import BlockStorage

PROPERTY = "block_device_mapping"


class Mapped(msgspec.Struct):
    """One disk in that property, which anybody may have written."""

    source_type: str = ""
    snapshot_id: str | None = None
    boot_index: int | None = None


async def snapshot_of(room: BlockStorage, caller: Caller, image_id: str) -> str:
    """The snapshot of the disk that is booted; empty: the image has bytes of its own. Raises InvalidInput."""
    image = await room.image.get(caller, image_id)
    if image.size or PROPERTY not in image.properties:
        return ""
    try:
        disks = msgspec.json.decode(image.properties[PROPERTY], type=list[Mapped])
    except msgspec.DecodeError as error:
        raise InvalidInput(f"image {image_id} has no bytes, and a {PROPERTY} that is none: {error}") from error
    for disk in sorted(disks, key=lambda disk: disk.boot_index != 0):
        if disk.source_type == "snapshot" and disk.snapshot_id:
            return disk.snapshot_id
    raise InvalidInput(f"image {image_id} has no bytes, and names no snapshot")
