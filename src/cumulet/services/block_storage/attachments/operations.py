"""What may be done with attachments? Those that clients make for servers or hosts which compute does not look after."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import Conflict
from cumulet.services.block_storage.errors import AttachmentNotFound, HeldByCompute, InvalidVolume, VolumeInUse
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes import exporting, store
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow

SHARED = ("in-use", "reserved", "attaching")
"""States in which a volume for several may get one more attachment."""


def free_for(volume: VolumeRow) -> bool:
    """May somebody attach it now?"""
    if volume.status == "available":
        return True
    return volume.multiattach and volume.status in SHARED


async def reserve(
    room: BlockStorage,
    tx: Transaction,
    volume_id: str,
    attachment_id: str,
    *,
    server_id: str,
    mode: str = "rw",
    by_compute: bool = False,
) -> AttachmentRow:
    """Promise a volume. Raises VolumeInUse."""
    volume = await store.held(room, tx, volume_id)
    if not free_for(volume):
        raise VolumeInUse(
            f"Volume {volume_id} is {volume.status}; it must be available to be attached. Detach it first, or use a "
            "volume of a type that allows several attachments."
        )
    now = room.clock.now()
    attachment = AttachmentRow(
        id=attachment_id,
        volume_id=volume_id,
        server_id=server_id,
        project_id=volume.project_id,
        by_compute=by_compute,
        mode=mode,
        status="reserved",
        host="",
        device="",
        connector="{}",
        move="",
        attached_at=0,
        detached_at=0,
        created_at=now,
        updated_at=now,
    )
    await store.add(tx, attachment)
    await store.change(room, tx, volume_id)
    tx.wake("attachment", server_id)
    return attachment


async def set_to(room: BlockStorage, tx: Transaction, attachment_id: str, **values: Any) -> AttachmentRow:
    """Change an attachment, and what its volume shows. Raises AttachmentNotFound."""
    attachment = await tx.get(AttachmentRow, id=attachment_id)
    if attachment is None:
        raise AttachmentNotFound(f"Volume attachment could not be found with filter: attachment_id = {attachment_id}.")
    await store.held(room, tx, attachment.volume_id)
    await tx.update(AttachmentRow, {"id": attachment_id}, updated_at=room.clock.now(), **values)
    await store.change(room, tx, attachment.volume_id)
    await exporting.end_if_unused(room, tx, attachment.volume_id)
    tx.wake("attachment", attachment.server_id)
    return await tx.get(AttachmentRow, id=attachment_id) or attachment


async def remove(room: BlockStorage, tx: Transaction, attachment: AttachmentRow) -> None:
    """Nobody holds the volume by this any more."""
    if await tx.get(VolumeRow, id=attachment.volume_id) is not None:
        await store.held(room, tx, attachment.volume_id)
        await tx.delete(AttachmentRow, id=attachment.id)
        await store.change(room, tx, attachment.volume_id)
        await exporting.end_if_unused(room, tx, attachment.volume_id)
    else:
        await tx.delete(AttachmentRow, id=attachment.id)
    tx.wake("attachment", attachment.server_id)


def must_be_ours(attachment: AttachmentRow) -> None:
    """What compute has plugged into a server is compute's to unplug: it alone knows when the guest let go."""
    if attachment.by_compute:
        raise HeldByCompute(
            f"Detach the volume using the Compute API: attachment {attachment.id} belongs to server "
            f"{attachment.server_id}."
        )


def connection_of(volume: VolumeRow, attachment: AttachmentRow | None) -> dict[str, Any]:
    """How the volume is reached: a file on its node, under a name that the node alone makes."""
    found = {
        "driver_volume_type": "cumulet",
        "volume_id": volume.id,
        "node": volume.node,
        "backend": volume.backend,
        "access_mode": "ro" if volume.read_only == "True" else attachment.mode if attachment else "rw",
        "encrypted": bool(volume.encryption_key_id),
        "discard": True,
        "qos_specs": None,
    }
    return found if attachment is None else {**found, "attachment_id": attachment.id}


async def connect(room: BlockStorage, tx: Transaction, attachment_id: str, connector: dict[str, Any]) -> AttachmentRow:
    """A host says what it is, and is about to attach."""
    attachment = await tx.get(AttachmentRow, id=attachment_id)
    if attachment is not None:
        volume = await store.held(room, tx, attachment.volume_id)
        if not volume.made_size:
            raise InvalidVolume(f"volume {volume.id} is {volume.status}; wait until it is made")
        if attachment.status == "attached":
            raise Conflict(f"attachment {attachment_id} is attached already")
    return await set_to(
        room,
        tx,
        attachment_id,
        status="attaching",
        connector=msgspec.json.encode(connector).decode(),
        host=str(connector.get("host") or "")[:255],
        device=str(connector.get("mountpoint") or "")[:255],
        **({"mode": connector["mode"]} if connector.get("mode") in ("ro", "rw") else {}),
    )
