"""`qemu-img` over the files of a folder of volumes: as its user, and with the keys of those that are encrypted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType

from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.volume.base import Supplies
from cumulet.drivers.volume.files.folder import Folder
from cumulet.lib import qemu_img
from cumulet.lib.ids import new_uuid
from cumulet.lib.process import User
from cumulet.lib.qemu_img import SOURCE, TARGET, Luks, Unmeasured, run_qemu_img
from cumulet.lib.qemu_secrets import keyval, sealed

_MEASURINGS = 30

VolumeKeys = Mapping[str, str]
"""Under which id an argument list speaks of the key of which volume; empty: it speaks of none."""

NO_KEYS: VolumeKeys = MappingProxyType({})


class Tool:
    """Runs it. What its arguments are is `lib/qemu_img.py`'s."""

    def __init__(self, folder: Folder, parts: Path, supplies: Supplies, user: User | None) -> None:
        self._folder = folder
        self._parts = parts
        self._supplies = supplies
        self._user = user

    def to_read(self, volume_id: str) -> VolumeKeys:
        """The key that opens a volume's file, if it is encrypted."""
        return {SOURCE: volume_id} if self._folder.is_encrypted(volume_id) else NO_KEYS

    def to_write_over(self, volume_id: str) -> VolumeKeys:
        return {TARGET: volume_id} if self._folder.is_encrypted(volume_id) else NO_KEYS

    @staticmethod
    def to_make(spec: VolumeSpec) -> tuple[Luks | None, VolumeKeys]:
        """How a new volume is encrypted, and with what."""
        return (Luks(spec.key_bits), {TARGET: spec.id}) if spec.encrypted else (None, NO_KEYS)

    async def run(
        self,
        arguments: list[str],
        keys: VolumeKeys = NO_KEYS,
        *,
        seconds: float = qemu_img.SHORT_SECONDS,
        writes: int | None = None,
    ) -> None:
        """Raises as `run_qemu_img` does, and as fetching a key does."""
        async with self._secrets(keys) as secrets:
            for left in reversed(range(_MEASURINGS)):
                try:
                    return await run_qemu_img(
                        arguments, user=self._user, seconds=seconds, writes=writes, secrets=secrets
                    )
                except Unmeasured:
                    if not left:
                        raise

    @contextlib.asynccontextmanager
    async def _secrets(self, keys: VolumeKeys) -> AsyncIterator[list[str]]:
        if not keys:
            yield []
            return
        file = self._parts / f"{new_uuid()}.key"
        given = sealed({id: await self._supplies.volume_key(volume_id) for id, volume_id in keys.items()}, file)
        try:
            self._write(file, given.key)
            yield [keyval(words) for words in given.objects]
        finally:
            file.unlink(missing_ok=True)

    def _write(self, file: Path, key: bytes) -> None:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writer:
            writer.write(key)
            if self._user is not None:
                os.fchown(writer.fileno(), self._user.uid, self._user.gid)
