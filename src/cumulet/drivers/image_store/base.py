"""What every image store can do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class ImageStore(Protocol):
    """Holds the bytes of images under their ids."""

    name: str

    async def put(self, image_id: str, chunks: AsyncIterator[bytes], limit: int) -> int:
        """Keep the bytes, whole or not at all; their number. Raises `TooLarge` beyond `limit` bytes."""
        ...

    def get(self, image_id: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes, from `start`, in pieces of a bounded size."""
        ...

    async def remove(self, image_id: str) -> None: ...

    async def found(self) -> list[str]: ...
