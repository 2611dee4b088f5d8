"""An image is begun: written down, made without bytes, and asked for together with what that means for its server."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import CloudError, Conflict
from cumulet.core.web.call import Call
from cumulet.lib.ids import new_uuid
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.operations import Alter, act
from cumulet.services.compute.servers.row import DiskRow, ServerRow
from cumulet.services.compute.servers.tell import json_of
from cumulet.services.compute.snapshots.row import INTENT, Copy, SnapshotRow

# What a new image does not take over from the one its server was made of.
_NOT_INHERITED = frozenset({"min_disk", "min_ram", "disk_format", "container_format", "cache_in_nova", "bittorrent"})


def mapping_of(disk: DiskRow, snapshot_id: str) -> dict[str, Any]:
    """How the image says that a server made of it is to have a copy of this disk."""
    return {
        "source_type": "snapshot",
        "destination_type": "volume",
        "snapshot_id": snapshot_id,
        "volume_id": None,
        "image_id": None,
        "no_device": None,
        "volume_size": disk.size,
        "volume_type": None,
        "device_name": f"/dev/{disk.device}",
        "device_type": disk.device_type or "disk",
        "disk_bus": disk.bus or "virtio",
        "guest_format": None,
        "boot_index": disk.boot_index if disk.boot_index >= 0 else None,
        "delete_on_termination": disk.delete_on_termination,
        "tag": disk.tag or None,
    }


def properties_of(row: ServerRow, kind: str, metadata: dict[str, str]) -> dict[str, str]:
    """What an image says of the server that it was made of."""
    kept = {
        name: value
        for name, value in msgspec.json.decode(row.image).items()
        if name not in _NOT_INHERITED and not name.startswith(("os_hash", "signature"))
    }
    return {
        **kept,
        "instance_uuid": row.id,
        "user_id": row.user_id,
        "image_type": kind,
        "base_image_ref": row.image_id,
        **metadata,
    }


async def begin(
    room: Compute, call: Call, row: ServerRow, name: str, kind: str, metadata: dict[str, str], more: dict[str, str]
) -> str:
    """A queued image for this server's disk."""
    image_id, of_volumes = new_uuid(), not row.image_ref
    flavor = flavor_of(row)
    copies: list[Copy] = []
    if of_volumes:
        async with room.database.read() as tx:
            disks = await tx.find(DiskRow, server_id=row.id, wanted="attached", local=False, order_by="device")
        copies = [Copy(disk.volume_id, new_uuid(), f"snapshot for {name}"[:255]) for disk in disks]
        mappings = [mapping_of(disk, copy.snapshot_id) for disk, copy in zip(disks, copies, strict=True)]
        more = more | {
            "block_device_mapping": json_of(mappings), "bdm_v2": "True", "root_device_name": row.root_device,
        }  # fmt: skip
    # Written down before the image is made: should this request end in the middle, the image is found and taken back.
    intent = SnapshotRow(image_id, row.id, INTENT, 0, json_of(copies), 0, room.clock.now())
    await room.database.write(lambda tx: tx.insert(intent))
    try:
        await room.images.create_for_snapshot(
            call.caller,
            image_id,
            name,
            properties_of(row, kind, metadata) | more,
            disk_format="raw" if of_volumes else "qcow2",
            min_disk=0 if of_volumes else flavor.disk,
            min_ram=0,
        )
    except CloudError:
        await drop(room, image_id)
        raise
    return image_id


async def drop(room: Compute, image_id: str) -> None:
    """Nobody wants this image any more."""
    await room.images.abandon(image_id)
    await room.database.write(lambda tx: tx.delete(SnapshotRow, id=image_id))


async def start(
    room: Compute, call: Call, row: ServerRow, verb: str, image_id: str, kind: str, rotation: int, alter: Alter
) -> None:
    """Store the wish that an image begun before is filled, together with what it means for its server."""

    async def also(tx: Transaction, found: ServerRow) -> None:
        values = {"kind": kind, "rotation": rotation, "created_at": room.clock.now()}
        if not await tx.update(SnapshotRow, {"id": image_id, "kind": INTENT}, **values):
            raise Conflict(f"The image of instance {row.id} took too long to begin. Ask again.")
        tx.wake("snapshot", image_id)

    try:
        await act(room, call, row, verb, alter, also)
    except CloudError:
        await drop(room, image_id)
        raise
