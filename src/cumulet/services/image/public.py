"""The image service's door: what other rooms may ask of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from functools import cached_property

import msgspec

from cumulet.contracts.machines import ImageRef
from cumulet.core.access.caller import Caller
from cumulet.core.web.call import Call
from cumulet.core.web.within import Within
from cumulet.services.image.errors import ImageExists, ImageNotFound, ImageProtected, UploadOvertaken, WrongStatus
from cumulet.services.image.images import data, status
from cumulet.services.image.images.fields import with_properties
from cumulet.services.image.images.operations import change, create, missing
from cumulet.services.image.images.row import ImageRow, PropertyRow
from cumulet.services.image.images.sight import ADMIN, look
from cumulet.services.image.room import Image
from cumulet.services.image.service import service

__all__ = ["ImageDoor", "ImageExists", "ImageNotFound", "ImageView", "UploadOvertaken", "WrongStatus"]


class ImageView(msgspec.Struct, frozen=True):
    """An image as other rooms see it. Unknown sizes are 0.

    One that lies on a web server and was not read through yet is `importing` to them: no node could verify it.
    """

    id: str
    name: str
    status: str
    visibility: str
    owner: str
    size: int
    virtual_size: int
    disk_format: str
    container_format: str
    min_disk: int
    min_ram: int
    checksum: str
    sha512: str
    properties: dict[str, str]
    protected: bool
    created_at: int
    updated_at: int
    tags: list[str]


class ImageDoor:
    """Topic woken: `image` with an image's id whenever it changed."""

    def __init__(self, room: Image) -> None:
        self._room = room

    @cached_property
    def api(self) -> Within:
        """This service's whole API, for rooms that pass a caller's request on."""
        return Within(service(), self._room)

    async def get(self, asker: Call | Caller, image_id: str) -> ImageView:
        """An image that the caller sees. Raises ImageNotFound."""
        caller = asker if isinstance(asker, Caller) else asker.caller
        sees_all = self._room.rules.allows(ADMIN, {}, caller.credentials)
        return _view(await look(self._room, caller, image_id, sees_all=sees_all))

    async def ref(self, image_id: str) -> ImageRef | None:
        """What a node must know to fetch an image; None unless it is active and its bytes are known."""
        row = await self._row(image_id)
        if row is None or row.status != "active" or not row.digest:
            return None
        return ImageRef(id=row.id, sha512=row.digest, disk_format=row.disk_format, size=row.size)

    async def open(self, image_id: str) -> AsyncIterator[bytes]:
        """The bytes of an image, for nodes: also of a deactivated one, whose machines may have to be made anew."""
        row = await self._row(image_id)
        if row is None or not row.has_data:
            raise missing(image_id)
        async for piece in data.open_bytes(self._room, row):
            yield piece

    async def create_for_snapshot(
        self,
        caller: Caller,
        image_id: str,
        name: str,
        properties: Mapping[str, str],
        *,
        disk_format: str = "qcow2",
        container_format: str = "bare",
        min_disk: int = 0,
        min_ram: int = 0,
        visibility: str = "private",
    ) -> ImageView:
        """A queued image under an id that the caller chose. Asking again gives the same image."""
        room = self._room
        now = room.clock.now()
        row = ImageRow(
            image_id,
            caller.project_id,
            "queued",
            visibility,
            now,
            now,
            name=name,
            disk_format=disk_format,
            container_format=container_format,
            min_disk=min_disk,
            min_ram=min_ram,
        )
        row = with_properties(row, properties)
        try:
            await create(room, row)
        except ImageExists:
            known = await self._row(image_id)
            if known is None or known.owner != caller.project_id:
                raise
            return _view(known)
        return _view(row)

    async def upload(self, image_id: str, chunks: AsyncIterator[bytes]) -> None:
        """Take the bytes; the image becomes active. An image that is active already keeps what it has."""
        row = await self._row(image_id)
        if row is not None and row.status == "active":
            return
        await data.upload(self._room, image_id, chunks)

    async def abandon(self, image_id: str) -> None:
        """Delete an image that will never get its bytes; nothing happens to one that has them or is gone."""

        def if_empty(row: ImageRow) -> ImageRow:
            return row if row.has_data else status.delete(row)

        try:
            await change(self._room, image_id, if_empty)
        except ImageNotFound:
            return

    async def delete(self, image_id: str) -> None:
        """Delete an image that its own maker no longer wants. One that is protected stays, one that is gone is well."""
        with suppress(ImageNotFound, ImageProtected):
            await change(self._room, image_id, status.delete)

    async def with_property(self, owner: str, name: str, value: str) -> list[ImageView]:
        """A project's active images that have this property, oldest first."""
        async with self._room.database.read() as tx:
            ids = sorted({found.image_id for found in await tx.find(PropertyRow, name=name, value=value)})
            rows = await tx.find(ImageRow, id=ids, owner=owner, status="active") if ids else []
        return [_view(row) for row in sorted(rows, key=lambda row: (row.created_at, row.id))]

    async def _row(self, image_id: str) -> ImageRow | None:
        async with self._room.database.read() as tx:
            row = await tx.get(ImageRow, id=image_id)
        return None if row is None or row.status == "deleted" else row


def _view(row: ImageRow) -> ImageView:
    return ImageView(
        row.id,
        row.name,
        row.status if row.digest or row.status != "active" else "importing",
        row.visibility,
        row.owner,
        max(row.size, 0),
        max(row.virtual_size, 0),
        row.disk_format,
        row.container_format,
        row.min_disk,
        row.min_ram,
        row.checksum,
        row.digest,
        row.properties_dict,
        row.protected,
        row.created_at,
        row.updated_at,
        row.tag_list,
    )
