"""A server that boots from a volume is made anew: off, its volume gets another image, and on again.

The volume is the same before and after, so that what is not written over by its image stays promised to the server.
"""

from __future__ import annotations

from cumulet.core.db import Transaction
from cumulet.core.reconcile import Again, Outcome
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look
from cumulet.services.compute.servers.row import DiskRow
from cumulet.services.compute.servers.rungs.attached import reserve
from cumulet.services.compute.servers.rungs.powered import assign, is_powered
from cumulet.services.compute.servers.rungs.waiting import waiting

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


async def reimage(room: Compute, look: Look) -> Outcome:
    """One step: its machine off and without the volume, then the volume written over. Each may run twice."""
    server = look.server
    disk = next(disk for disk in look.kept if disk.new_image)
    if server.host in look.held and not is_powered(look):
        return await assign(room, look)  # while an image is awaited, a machine is ordered off
    if disk.connection:
        await room.volumes.keep(disk.id)
        await _change(room, disk, connection="", connected=False)
        return Again()
    if not disk.reserved and not await reserve(room, server, disk):
        return waiting(room, look, SECONDS, "its volumes are not ready", "Block Device Mapping is Invalid")
    if not disk.reimage:
        await _change(room, disk, reimage=await room.volumes.reimages(disk.volume_id) + 1)
        return Again()
    if not await room.volumes.reimage(disk.volume_id, disk.new_image, disk.reimage):
        fault = "The volume did not get its image"
        return waiting(room, look, SECONDS, "its volume is being written over", fault)
    await _change(room, disk, new_image="", reimage=0)
    return Again()


async def _change(room: Compute, disk: DiskRow, **columns: str | int | bool) -> None:
    """Unless another image is wished for by now."""
    await room.database.write(lambda tx: tx.update(DiskRow, {"id": disk.id, "new_image": disk.new_image}, **columns))
