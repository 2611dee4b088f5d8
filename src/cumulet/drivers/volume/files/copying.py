"""Copies of volumes of files for elsewhere: what a volume holds, at one moment, in a file of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.volume.base import CopyFailed
from cumulet.drivers.volume.failing import copying, may_be_copied
from cumulet.drivers.volume.files.place import FilePlace
from cumulet.drivers.volume.files.tool import NO_KEYS
from cumulet.lib import qemu_img
from cumulet.lib.ids import is_uuid, new_uuid
from cumulet.lib.qemu_img import DiskBusy, NotReadable
from cumulet.lib.sparse import Parcel, parcel

_MOMENT = "moment-"
"""How the names of snapshots begin that live as long as one copy; no ids, so they are never taken for ordered ones."""


class Copying:
    """Says everything that goes wrong as CopyFailed."""

    def __init__(self, place: FilePlace) -> None:
        self._place = place
        self._moments: set[str] = set()

    def is_left_over(self, snapshot: str) -> bool:
        """Whether this is the mark of a copy that nobody makes any more."""
        return snapshot.startswith(_MOMENT) and snapshot not in self._moments

    @contextlib.asynccontextmanager
    async def copied(
        self, volume_id: str, disk_format: str, *, snapshot_id: str = "", open_too: bool = False
    ) -> AsyncIterator[Path]:
        place = self._place
        self._must_be_here(volume_id)
        with place.parts.file(f"{new_uuid()}.copy") as part:
            with copying(volume_id):
                may_be_copied(volume_id, disk_format, encrypted=place.folder.is_encrypted(volume_id))
                async with self._readable(volume_id, snapshot_id, open_too=open_too) as snapshot, place.turns.copies:
                    arguments = qemu_img.convert(
                        place.folder.file(volume_id),
                        "qcow2",
                        part,
                        output=disk_format,
                        snapshot=snapshot,
                        shared=bool(snapshot),
                    )
                    await place.convert(arguments, NO_KEYS, place.folder.virtual_size(volume_id))
            yield part

    @contextlib.asynccontextmanager
    async def whole(self, volume_id: str) -> AsyncIterator[Parcel]:
        """The file itself, which stays as it is meanwhile."""
        self._must_be_here(volume_id)
        async with self._place.turns.alone(volume_id):
            if await self._place.machines_with(volume_id):
                raise CopyFailed(f"volume {volume_id} is in use")
            try:
                file = self._place.folder.file(volume_id).open("rb")
            except FileNotFoundError:
                raise _not_here(volume_id) from None
            with file:
                yield parcel(file.fileno())

    def _must_be_here(self, volume_id: str) -> None:
        if not is_uuid(volume_id) or not self._place.folder.file(volume_id).exists():
            raise _not_here(volume_id)

    @contextlib.asynccontextmanager
    async def _readable(self, volume_id: str, snapshot_id: str, *, open_too: bool) -> AsyncIterator[str]:
        """The snapshot to copy a volume by, kept as long as that takes; empty: nobody has the volume open."""
        if snapshot_id:
            if snapshot_id not in self._place.folder.snapshots(volume_id):
                raise CopyFailed(f"volume {volume_id} has no snapshot {snapshot_id[:64]!r}")
            with self._place.turns.kept(snapshot_id):
                yield snapshot_id
        elif open_too:
            async with self._moment(volume_id) as mark:
                yield mark
        elif await self._place.machines_with(volume_id):
            raise CopyFailed(f"volume {volume_id} is in use")
        else:
            yield ""

    @contextlib.asynccontextmanager
    async def _moment(self, volume_id: str) -> AsyncIterator[str]:
        """A snapshot of now, for a copy that has nothing to do with the order. One that is left over goes with the
        next look at the volume."""
        mark = f"{_MOMENT}{new_uuid()}"
        self._moments.add(mark)
        try:
            async with self._place.turns.alone(volume_id):
                await self._place.take(volume_id, mark)
            try:
                yield mark
            finally:
                async with self._place.turns.alone(volume_id):
                    with contextlib.suppress(MachineFailed, DiskBusy, NotReadable):
                        await self._place.forget(volume_id, mark)
        finally:
            self._moments.discard(mark)


def _not_here(volume_id: str) -> CopyFailed:
    return CopyFailed(f"there is no volume {volume_id[:64]!r} here")
