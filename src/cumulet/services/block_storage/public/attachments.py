"""The promises of volumes to servers: how a machine reaches a volume, and what compute tells of it."""

from __future__ import annotations

from typing import Any

from cumulet.contracts.machines import VolumeConnection
from cumulet.core.db import Duplicate, Transaction
from cumulet.services.block_storage.attachments import operations as attachments
from cumulet.services.block_storage.public.part import Part, known
from cumulet.services.block_storage.public.views import Promise
from cumulet.services.block_storage.volumes import (
    arrival,
    exporting,
    following,
    mirroring,
    store,
)
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow


class Attachments(Part):
    """Each call names one that compute chose the id of; nothing happens to one that is gone."""

    async def reserve(self, volume_id: str, server_id: str, attachment_id: str, *, mode: str = "rw") -> None:
        """Promise a volume to a server. Raises VolumeInUse."""

        async def write(tx: Transaction) -> None:
            if await tx.get(AttachmentRow, id=attachment_id):
                return
            await attachments.reserve(
                self._room, tx, volume_id, attachment_id, server_id=server_id, mode=mode, by_compute=True
            )

        try:
            await self._room.database.write(write)
        except Duplicate:
            return  # the same promise was made at this very moment

    async def promised(self, server_id: str) -> dict[str, Promise]:
        """The attachments that were made for a server."""
        async with self._room.database.read() as tx:
            rows = await tx.find(AttachmentRow, server_id=server_id)
        return {row.id: Promise(row.created_at, bool(row.move), row.move == mirroring.GO) for row in rows}

    async def connect(self, attachment_id: str, host: str, device: str) -> VolumeConnection | None:
        """How a host reaches the volume of an attachment; None: it will, but is not made or not offered yet."""
        nodes = {node.name: node for node in await self._room.fleet.nodes()}

        async def write(tx: Transaction) -> VolumeConnection | None:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            if attachment is None:
                return None
            volume = await known(tx, attachment.volume_id)
            if volume.fault or not volume.made_size:
                return None
            connection = await exporting.connect(self._room, tx, volume, host, nodes)
            if connection is not None and not await following.follows(self._room, tx, volume, host):
                connection = None
            if attachment.status == "reserved" or not attachment.host:
                await attachments.set_to(self._room, tx, attachment_id, status="attaching", host=host, device=device)
            return connection

        return await self._room.database.write(write)

    async def connected(self, attachment_id: str) -> None:
        """The machine has the volume now."""
        await self._set(attachment_id, "attached")

    async def disconnect(self, attachment_id: str) -> None:
        """The machine is to give the volume up."""
        await self._set(attachment_id, "detaching")

    async def keep(self, attachment_id: str) -> None:
        """No machine has the volume now, but the server keeps its promise: it moves, or is shelved."""
        await self._set(attachment_id, "reserved")

    async def moved(self, attachment_id: str, host: str) -> None:
        """The machine that has the volume is on this host now."""

        async def write(tx: Transaction) -> None:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            if attachment is not None and attachment.host != host:
                await attachments.set_to(self._room, tx, attachment_id, host=host)
                await following.follows(self._room, tx, await known(tx, attachment.volume_id), host)

        await self._room.database.write(write)

    async def release(self, attachment_id: str) -> None:
        """No machine has the volume by this attachment any more."""

        async def write(tx: Transaction) -> None:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            if attachment is None:
                return
            await attachments.remove(self._room, tx, attachment)

        await self._room.database.write(write)

    async def _set(self, attachment_id: str, status: str) -> None:
        async def write(tx: Transaction) -> None:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            if attachment is None or attachment.status == status:
                return
            now = self._room.clock.now()
            also: dict[str, dict[str, Any]] = {"attached": {"attached_at": now}, "reserved": {"host": ""}}
            await attachments.set_to(self._room, tx, attachment_id, status=status, **also.get(status, {}))

        await self._room.database.write(write)

    # ---- volumes that go elsewhere while their machines have them open ------------------------------------------

    async def target(self, attachment_id: str, host: str) -> VolumeConnection | None:
        """How a host reaches the place where the volume of an attachment should be; None: it will, but does not yet,
        or the volume is to stay."""
        nodes = {node.name: node for node in await self._room.fleet.nodes()}

        async def write(tx: Transaction) -> VolumeConnection | None:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            if attachment is None or attachment.move != mirroring.GO:
                return None
            volume = await store.held(self._room, tx, attachment.volume_id)
            return await mirroring.target(self._room, tx, volume, host, nodes)

        return await self._room.database.write(write)

    async def went(self, attachment_id: str, place: VolumeConnection) -> str:
        """The machine goes on at this place, where its volume should be. The only node that can open it; empty: any
        can."""
        await mirroring.ended(self._room, attachment_id, arrival.SUCCESS, at=place)
        async with self._room.database.read() as tx:
            attachment = await tx.get(AttachmentRow, id=attachment_id)
            volume = await tx.get(VolumeRow, id=attachment.volume_id) if attachment is not None else None
        return (await self._view(volume)).node if volume is not None else ""

    async def call_off(self, attachment_id: str, reason: str) -> None:
        """The volume cannot go to where it should be. The machine is to stay where it is, and `stayed` to follow."""
        await mirroring.call_off(self._room, attachment_id, reason)

    async def stayed(self, attachment_id: str, reason: str = "") -> None:
        """The machine has the volume where it was, and does not bring it elsewhere."""
        await mirroring.ended(self._room, attachment_id, arrival.ERROR, reason)
