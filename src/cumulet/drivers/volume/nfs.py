"""Volumes as files on a share of NFS, which each node that has the backend mounts: each of them opens them itself.

One node at a time looks after a volume, and one machine has it open: what QEMU and `qemu-img` open they lock, and a
share of NFS version 4 carries the locks from node to node. What a node is making lies in a folder of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.contracts.backends import Storage
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec
from cumulet.drivers.volume.base import CopyFailed
from cumulet.drivers.volume.files.volumes import FileVolumes
from cumulet.lib import mounts
from cumulet.lib.mounts import Mount, NotMounted
from cumulet.lib.sparse import Parcel

_LONGEST_WORD = 48
_NO_WORD = re.compile(r"[^A-Za-z0-9._-]+")

Files = Callable[[Path, Path], FileVolumes]
"""Makes the driver of a folder of volumes; the second one is where this node makes what is new."""


class NfsVolumes:
    """The volumes of one share. It is mounted when it is first needed."""

    name = "nfs"

    def __init__(
        self, share: Mount, node: str, files: Files, mount: Callable[[Mount], Awaitable[None]] = mounts.ensure
    ) -> None:
        self._share = share
        self._node = node
        self._make = files
        self._files: FileVolumes | None = None
        self._turn = asyncio.Lock()
        self._mount = mount

    def path(self, volume_id: str) -> str:
        return str(self._share.point / "volumes" / f"{volume_id}.qcow2")

    async def about(self) -> Storage:
        said = Storage(driver=self.name, protocol="nfs", cluster=cluster_of(self._share.source), content="qcow2")
        try:
            room = await (await self._mounted()).about()
        except NotMounted as error:
            return msgspec.structs.replace(said, fault=str(error))
        return msgspec.structs.replace(said, total_gib=room.total_gib, free_gib=room.free_gib)

    async def ensure(self, spec: VolumeSpec) -> VolumeFacts:
        try:
            files = await self._mounted()
        except NotMounted as error:
            fault = Fault(message="The share of this volume cannot be reached.", code=503, details=str(error))
            return VolumeFacts(id=spec.id, size_gib=0, fault=fault)
        return await files.ensure(spec)

    async def remove(self, volume_id: str) -> None:
        await (await self._mounted()).remove(volume_id)

    async def let_go(self, volume_id: str) -> None:
        if self._files is not None:
            await self._files.let_go(volume_id)

    @asynccontextmanager
    async def copied(
        self, volume_id: str, disk_format: str, *, snapshot_id: str = "", open_too: bool = False
    ) -> AsyncIterator[Path]:
        files = await self._readable()
        async with files.copied(volume_id, disk_format, snapshot_id=snapshot_id, open_too=open_too) as path:
            yield path

    @asynccontextmanager
    async def file(self, volume_id: str) -> AsyncIterator[Parcel]:
        async with (await self._readable()).file(volume_id) as whole:
            yield whole

    async def found(self) -> Sequence[VolumeFacts]:
        return await (await self._mounted()).found()

    def close(self) -> None:
        if self._files is not None:
            self._files.close()

    async def _readable(self) -> FileVolumes:
        try:
            return await self._mounted()
        except NotMounted as error:
            raise CopyFailed(str(error)) from error

    async def _mounted(self) -> FileVolumes:
        """The files of the share. Raises NotMounted."""
        async with self._turn:
            await self._mount(self._share)
            if self._files is None:
                own = hashlib.sha256(self._node.encode()).hexdigest()[:16]
                try:
                    self._files = self._make(self._share.point, self._share.point / "parts" / own)
                except OSError as error:
                    raise NotMounted(
                        f"{self._share.source} cannot be written ({error.strerror}); export it with no_root_squash"
                    ) from error
            return self._files


def cluster_of(share: str) -> str:
    """The word by which nodes know that they have the same share. Pure."""
    word = f"nfs-{_NO_WORD.sub('-', share).strip('-')}"
    if len(word) <= _LONGEST_WORD:
        return word
    return f"{word[: _LONGEST_WORD - 9]}-{hashlib.sha256(share.encode()).hexdigest()[:8]}"
