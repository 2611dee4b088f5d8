"""What a node's volumes need from elsewhere, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from cumulet.lib.sparse import Parcel, parcel, send


class Vault:
    """Backups, files of volumes that are to arrive, and keys. The stream of what is not here breaks off."""

    def __init__(self) -> None:
        self._backups: dict[str, bytes] = {}
        self._files: dict[str, bytes] = {}

    async def keep(self, backup_id: str, copy: Path) -> None:
        """Let this raw copy of a volume be the content of a backup."""
        with copy.open("rb") as file:
            self._backups[backup_id] = await _whole(parcel(file.fileno()))

    async def send(self, volume_id: str, file: AbstractAsyncContextManager[Parcel]) -> None:
        """Let this be what arrives when the volume is to."""
        async with file as sent:
            self._files[volume_id] = await _whole(sent)

    async def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        yield self._backups.get(backup_id, b"")

    async def volume_file(self, volume_id: str) -> AsyncIterator[bytes]:
        yield self._files.get(volume_id, b"")

    async def volume_key(self, volume_id: str) -> str:
        """Another one for each volume, always the same one for the same."""
        return hashlib.sha256(volume_id.encode()).hexdigest()


async def _whole(sent: Parcel) -> bytes:
    return b"".join([piece async for piece in send(sent)])
