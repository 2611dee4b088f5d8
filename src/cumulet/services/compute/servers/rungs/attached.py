"""Its volumes, made where it asked for new ones, and connected to its host."""

from __future__ import annotations

import msgspec

from cumulet.core.errors import CloudError, Unavailable
from cumulet.core.reconcile import Again, Outcome
from cumulet.services.block_storage.public import VolumeView
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look
from cumulet.services.compute.servers.row import DiskRow, ServerRow
from cumulet.services.compute.servers.rungs.waiting import refuse, waiting
from cumulet.services.compute.servers.store import change, forget

ATTACHING_SECONDS = 1800
"""A volume may have to be filled from an image first."""


class VolumeNotMade(CloudError):
    """A volume that was to be made for a server ended in error."""

    status = 400
    title = "Block Device Mapping is Invalid"


def is_attached(look: Look) -> bool:
    return all(disk.connection for disk in look.kept if not disk.local)


def is_held(look: Look) -> bool:
    return bool(look.disks)


async def connect(room: Compute, look: Look) -> Outcome:
    server = look.server
    for disk in look.kept:
        if disk.local or disk.connection:
            continue
        try:
            if not disk.reserved and not await reserve(room, server, disk):
                continue
            connection = await room.volumes.connect(disk.id, server.host, f"/dev/{disk.device}")
        except Unavailable:
            raise
        except CloudError as error:
            if not server.met or was_its_own(look, disk):
                raise
            await refuse(room, server, disk, error.message)
            return Again()
        if connection is not None:
            await change(room, disk, connection=msgspec.json.encode(connection).decode())
    return waiting(room, look, ATTACHING_SECONDS, "its volumes are not ready", "Block Device Mapping is Invalid")


def was_its_own(look: Look, disk: DiskRow) -> bool:
    """Where a server comes to it is to have what it had where it was."""
    if look.move is not None:
        return disk.created_at < look.move.created_at
    return look.server.offloaded and disk.boot_index == 0


async def reserve(room: Compute, server: ServerRow, disk: DiskRow) -> bool:
    """Hold the volume for this server, making it first if it is to be made. False: not ready yet."""
    if disk.source != "volume":
        volume = await make_volume(room, server, disk)
        if volume.status not in ("available", "reserved", "attaching", "in-use"):
            return False
    await room.volumes.reserve(disk.volume_id, server.id, disk.id)
    await change(room, disk, reserved=True)
    return True


async def make_volume(room: Compute, server: ServerRow, disk: DiskRow) -> VolumeView:
    """The volume that is made for this server, as it is now."""
    volume = await room.volumes.create(
        server.project_id,
        server.user_id,
        disk.volume_id,
        disk.size,
        image_id=disk.source_id if disk.source == "image" else "",
        snapshot_id=disk.source_id if disk.source == "snapshot" else "",
        type=disk.volume_type,
    )
    if volume.status == "error":
        raise VolumeNotMade(f"Volume {disk.volume_id} did not finish being created: its status is error.")
    return volume


async def take_off(room: Compute, look: Look) -> None:
    """Its volumes are on no host now; they stay promised to it."""
    for disk in look.kept:
        if not disk.local and disk.connection:
            await room.volumes.keep(disk.id)
            await change(room, disk, connection="", connected=False)


async def disconnect(room: Compute, look: Look) -> Outcome:
    for disk in look.disks:
        await let_go(room, disk, delete=disk.delete_on_termination)
    return Again()


async def let_go(room: Compute, disk: DiskRow, *, delete: bool) -> None:
    """The volume is free again, or deleted; the disk is forgotten."""
    if not disk.local:
        # Promised or not: the promise may have been made, and never written down here.
        await room.volumes.disconnect(disk.id)
        await room.volumes.release(disk.id)
        if delete:
            await room.volumes.delete(disk.volume_id)
    await forget(room, disk)
