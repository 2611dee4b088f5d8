"""What every image store can do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class TooLarge(Exception):
    """An image has more bytes than its owner may store."""


class StoreFull(Exception):
    """The store has no room for the image."""


class NotStored(Exception):
    """The store has no bytes under this id."""


class Unreachable(Exception):
    """Where the bytes are kept cannot be read or written now; the message names it."""


class Refused(Exception):
    """An address that nothing here may ask."""


class ImageStore(Protocol):
    """Holds the bytes of images under their ids."""

    name: str
    """What kind of store it is."""
    distant: bool
    """Its bytes come over a network, so that a copy nearby is worth keeping."""

    async def put(self, image_id: str, chunks: AsyncIterator[bytes], limit: int) -> int:
        """Keep the bytes, whole or not at all, in place of any before; their number.

        Raises `TooLarge` beyond `limit` bytes, `StoreFull` and `Unreachable`.
        """
        ...

    def get(self, image_id: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes, from `start`, in pieces of a bounded size; all of them, even if the image is removed meanwhile.

        Raises `NotStored` or `Unreachable` when the first piece is asked for.
        """
        ...

    async def remove(self, image_id: str) -> None:
        """Forget the bytes. Removing what is not there is no error."""
        ...

    async def found(self) -> list[str]:
        """The ids of all images here."""
        ...
