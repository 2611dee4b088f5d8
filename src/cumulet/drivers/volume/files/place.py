"""What all work on the volumes of one folder shares: its tools, who has a volume open, and whose turn it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from cumulet.drivers.hypervisor.base import ImageFiles
from cumulet.drivers.volume.base import OpenVolumes, Supplies
from cumulet.drivers.volume.failing import Impossible
from cumulet.drivers.volume.files.exports import Exports
from cumulet.drivers.volume.files.folder import Folder
from cumulet.drivers.volume.files.holders import Holders
from cumulet.drivers.volume.files.tool import Tool, VolumeKeys
from cumulet.drivers.volume.parts import Parts
from cumulet.drivers.volume.turns import AT_ONCE, Turns
from cumulet.lib import qemu_img
from cumulet.lib.process import User
from cumulet.lib.qemu_img import NoSuchSnapshot
from cumulet.lib.whole_file import finished

OPENINGS = 8
"""How often a file is opened at most for one of its snapshots, when the list of them is being written just then."""


_P = ParamSpec("_P")
_T = TypeVar("_T")


class FilePlace:
    """One folder: `volumes` in it holds the volumes, `parts` what is being made; that is emptied at the start."""

    def __init__(
        self,
        place: Path,
        images: ImageFiles,
        supplies: Supplies,
        machines: OpenVolumes | None,
        exports: Exports | None,
        user: User | None,
        parts: Path | None,
    ) -> None:
        self.folder = Folder(place / "volumes")
        # The user passes through, and nobody can list.
        for path in (place, self.folder.path):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o711)
        self.turns = Turns()
        self.pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="volumes")
        self.parts = Parts(parts or place / "parts", user, self.pool)
        self.images = images
        self.supplies = supplies
        self.tool = Tool(self.folder, self.parts.path, supplies, user)
        self.exports = exports or Exports(place / "exports", "", owner=user)
        self.machines = Holders(self.exports, *([machines] if machines is not None else []))

    async def in_folder(self, act: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do what blocks to the folder in a thread, to its end."""
        return await finished(self.pool, act, *args, **kwargs)

    async def machines_with(self, volume_id: str) -> Sequence[str]:
        return await self.machines.machines_with(volume_id)

    async def must_be_closed(self, volume_id: str, before: str) -> None:
        """Raise Impossible for a volume that somebody has open."""
        if await self.machines_with(volume_id):
            raise Impossible(f"This volume is in use; detach it before {before}.", 409)

    async def take(self, volume_id: str, name: str) -> None:
        """Keep a volume's content of this moment under a name; its machine does it, if one has it open."""
        if await self.machines_with(volume_id):
            await self.machines.take_volume_snapshot(volume_id, name)
        else:
            file, keys = self.folder.file(volume_id), self.tool.to_read(volume_id)
            await self.tool.run(qemu_img.take_snapshot(file, name, encrypted=bool(keys)), keys)

    async def drop(self, volume_id: str, name: str) -> None:
        if await self.machines_with(volume_id):
            await self.machines.drop_volume_snapshot(volume_id, name)
        else:
            file, keys = self.folder.file(volume_id), self.tool.to_read(volume_id)
            await self.tool.run(qemu_img.drop_snapshot(file, name, encrypted=bool(keys)), keys)

    async def forget(self, volume_id: str, name: str) -> None:
        """Drop what was kept for a copy alone. It is gone if the volume is."""
        with contextlib.suppress(FileNotFoundError):
            if name in self.folder.snapshots(volume_id):
                await self.drop(volume_id, name)

    async def convert(self, arguments: list[str], keys: VolumeKeys, size: int) -> None:
        """A snapshot is read while others are taken and dropped in the same file, by a machine too: who opens the file
        while its list is replaced cannot find what he came for, and finds it when he opens the file again."""
        for left in reversed(range(OPENINGS)):
            try:
                return await self.tool.run(arguments, keys, seconds=qemu_img.LONG_SECONDS, writes=size)
            except NoSuchSnapshot:
                if not left:
                    raise
