"""A server that boots from a volume is made anew: off, its volume gets another image, and on again.

The volume is the same before and after, so that what is not written over by its image stays promised to the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cumulet.core.db import Transaction
from cumulet.core.reconcile import Again, Outcome
from cumulet.services.compute.servers.row import DiskRow

if TYPE_CHECKING:
    from cumulet.services.compute.room import Compute
    from cumulet.services.compute.servers.ladder import Ladder
    from cumulet.services.compute.servers.look import Look

SECONDS = 1800
"""How long block storage may take to write an image over a volume."""


async def wish_for(tx: Transaction, server_id: str, image_id: str) -> None:
    """Let the volume that a server boots from hold this image."""
    await tx.update(DiskRow, {"server_id": server_id, "boot_index": 0, "local": False}, new_image=image_id, reimage=0)


async def give_up(room: Compute, look: Look) -> None:
    """The server is in ERROR; what its owner does next begins with the volume as it is."""
    if any(disk.new_image for disk in look.disks):
        await room.database.write(lambda tx: tx.update(DiskRow, {"server_id": look.server.id}, new_image="", reimage=0))


def is_reimaged(look: Look) -> bool:
    return not any(disk.new_image for disk in look.kept)


async def reimage(ladder: Ladder, look: Look) -> Outcome:
    """One step: its machine off and without the volume, then the volume written over. Each may run twice."""
    room, server = ladder.room, look.server
    disk = next(disk for disk in look.kept if disk.new_image)
    if server.host in look.held and not ladder.is_powered(look):
        return await ladder.assign(look)  # while an image is awaited, a machine is ordered off
    if disk.connection:
        await room.volumes.keep(disk.id)
        await _change(room, disk, connection="", connected=False)
        return Again()
    if not disk.reserved and not await ladder.reserve(server, disk):
        return ladder.waiting(look, SECONDS, "its volumes are not ready", "Block Device Mapping is Invalid")
    if not disk.reimage:
        await _change(room, disk, reimage=await room.volumes.reimages(disk.volume_id) + 1)
        return Again()
    if not await room.volumes.reimage(disk.volume_id, disk.new_image, disk.reimage):
        return ladder.waiting(look, SECONDS, "its volume is being written over", "The volume did not get its image")
    await _change(room, disk, new_image="", reimage=0)
    return Again()


async def _change(room: Compute, disk: DiskRow, **columns: str | int | bool) -> None:
    await room.database.write(lambda tx: tx.update(DiskRow, {"id": disk.id, "new_image": disk.new_image}, **columns))
