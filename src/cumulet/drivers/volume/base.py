"""What every volume driver can do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

from cumulet.contracts.backends import Storage
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec
from cumulet.drivers.hypervisor.base import Opening
from cumulet.lib.sparse import Parcel

EXPORT = "export"
"""Stands for all machines that have a volume open by way of what its node offers over the network."""


class CopyFailed(Exception):
    """There is no copy of a volume to be had; the message says why."""


class StorageSilent(OSError):
    """What volumes lie on cannot be reached now, so that nothing can be said of them; asking again may help."""


class Supplies(Protocol):
    """What volumes need from elsewhere. Files come with their holes (`lib/sparse.py`)."""

    def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        """The raw content of a backup."""
        ...

    def volume_file(self, volume_id: str) -> AsyncIterator[bytes]:
        """The file of a volume that is to arrive here, from the node that has it."""
        ...

    async def volume_key(self, volume_id: str) -> str:
        """What opens an encrypted volume. Kept nowhere: it is fetched whenever it is needed."""
        ...


class OpenVolumes(Protocol):
    """The machines that have volumes open: while one does, only it may change the file. A hypervisor offers this.

    Each method may be called again when it has done its work already; they raise `MachineFailed`.
    """

    async def machines_with(self, volume_id: str) -> Sequence[str]:
        """Ids of the machines that have it open now."""
        ...

    async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
        """Let it grow under the running guest, which sees the new size."""
        ...

    async def take_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """Keep its content of this moment under a name, inside the same file."""
        ...

    async def drop_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None: ...


@runtime_checkable
class VolumesAsFiles(Protocol):
    """A driver whose volumes are files that machines open."""

    def path(self, volume_id: str) -> str: ...


@runtime_checkable
class VolumesByRelay(Protocol):
    """A driver whose volumes machines reach by way of another program."""

    async def opening(self, volume_id: str) -> Opening:
        """Raises `MachineFailed`."""
        ...


class Volumes(Protocol):
    """The volumes of one backend. Every method may be called again after a crash at any point."""

    name: str
    """The driver's."""

    async def ensure(self, spec: VolumeSpec) -> VolumeFacts:
        """Make the volume as wished: content from its source once, at least that size, exactly those snapshots.

        What cannot be done is said as a fault in the facts. The volume is then as it was, or further.
        """
        ...

    async def remove(self, volume_id: str) -> None:
        """Destroy the volume and its snapshots. Removing what is not there is no error."""
        ...

    async def let_go(self, volume_id: str) -> None:
        """Another node of the same storage looks after the volume now: serve it no more, and leave it as it is."""
        ...

    def copied(
        self, volume_id: str, disk_format: str, *, snapshot_id: str = "", open_too: bool = False
    ) -> AbstractAsyncContextManager[Path]:
        """A file with the content of a volume, as one of COPY_FORMATS; as it was when a snapshot was taken, if named.

        A volume that a machine has open is copied only if that is asked for: as it is at this moment, which is what a
        disk holds after a loss of power. Raises CopyFailed.
        """
        ...

    def file(self, volume_id: str) -> AbstractAsyncContextManager[Parcel]:
        """All that there is of a volume, for another node: it stays as it is meanwhile. Raises CopyFailed."""
        ...

    async def found(self) -> Sequence[VolumeFacts]:
        """All volumes that exist on this backend, known or not."""
        ...

    async def about(self) -> Storage:
        """What this backend is and how much room it has. What it cannot be used for is a fault in it, or an OSError."""
        ...
