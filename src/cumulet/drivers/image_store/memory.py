"""Images in memory, for the simulation: a shelf with limited room, which outlives the process that uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from cumulet.drivers.image_store.base import NotStored, StoreFull, TooLarge

_PIECE = 1 << 16


@dataclass(slots=True)
class Shelf:
    """What is really stored, and how much fits."""

    capacity_bytes: int = 256 << 20
    images: dict[str, bytes] = field(default_factory=dict)

    def room_beside(self, image_id: str) -> int:
        return self.capacity_bytes - sum(len(data) for key, data in self.images.items() if key != image_id)


class MemoryImageStore:
    """The image store over one shelf."""

    name = "memory"
    distant = False

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def put(self, image_id: str, chunks: AsyncIterator[bytes], limit: int) -> int:
        data = bytearray()
        async for chunk in chunks:
            data += chunk
            if len(data) > limit:
                raise TooLarge(f"image {image_id} has more than {limit} bytes")
            if len(data) > self._shelf.room_beside(image_id):
                raise StoreFull(f"no room for image {image_id}")
        self._shelf.images[image_id] = bytes(data)
        return len(data)

    async def get(self, image_id: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        try:
            data = self._shelf.images[image_id]
        except KeyError as error:
            raise NotStored(f"no data of image {image_id}") from error
        end = len(data) if length is None else min(start + length, len(data))
        for place in range(start, end, _PIECE):
            yield data[place : min(place + _PIECE, end)]

    async def remove(self, image_id: str) -> None:
        self._shelf.images.pop(image_id, None)

    async def found(self) -> list[str]:
        return sorted(self._shelf.images)
