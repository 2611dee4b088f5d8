"""The folder of file volumes: where each lies, and what its file says. Everything here blocks, but briefly."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from cumulet.contracts.assignments import Fault
from cumulet.contracts.volumes import VolumeFacts
from cumulet.drivers.volume.failing import GIB
from cumulet.lib.ids import is_uuid
from cumulet.lib.qcow2 import NotQcow2, read_header
from cumulet.lib.whole_file import publish, sync_folder

REVERTS, REIMAGES, RESTORES = COUNTERS = "reverts", "reimages", "restores"


class Folder:
    """`<id>.qcow2` is a volume; `<id>.reverts` says how often it has returned to a snapshot, if ever, and
    `<id>.reimages` and `<id>.restores` how often it got the content of an image or a backup."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, volume_id: str) -> Path:
        if not is_uuid(volume_id):
            raise ValueError(f"not an id of a volume: {volume_id!r}")
        return self.path / f"{volume_id}.qcow2"

    def ids(self) -> list[str]:
        return sorted(path.stem for path in self.path.glob("*.qcow2") if is_uuid(path.stem))

    def facts(self, volume_id: str) -> VolumeFacts:
        """What one file says. A damaged one is a fact too: it must not hide the others."""
        try:
            header = read_header(self.file(volume_id))
        except NotQcow2:
            return VolumeFacts(id=volume_id, size_gib=0, fault=Fault(message="The file of this volume is damaged."))
        snapshots = {name: size for name, size in header.snapshots.items() if is_uuid(name)}
        return VolumeFacts(
            id=volume_id,
            size_gib=-(-header.virtual_size // GIB),
            snapshots=tuple(snapshots),
            snapshot_sizes=tuple(-(-size // GIB) for size in snapshots.values()),
            encrypted=header.encrypted,
            reverts=self.count(volume_id, REVERTS),
            reimages=self.count(volume_id, REIMAGES),
            restores=self.count(volume_id, RESTORES),
        )

    def virtual_size(self, volume_id: str) -> int:
        return read_header(self.file(volume_id)).virtual_size

    def is_encrypted(self, volume_id: str) -> bool:
        return read_header(self.file(volume_id)).encrypted

    def snapshots(self, volume_id: str) -> Mapping[str, int]:
        """Those ordered, and the marks of copies; each with the size that the volume had then."""
        return read_header(self.file(volume_id)).snapshots

    def holder(self, snapshot: str) -> str | None:
        """The volume that has a snapshot of this name."""
        for volume_id in self.ids():
            # Volumes come and go meanwhile.
            with contextlib.suppress(NotQcow2, FileNotFoundError):
                if snapshot in self.snapshots(volume_id):
                    return volume_id
        return None

    def count(self, volume_id: str, of: str) -> int:
        """How often this has happened to it."""
        try:
            return int(self._counter(volume_id, of).read_text())
        except FileNotFoundError:
            return 0

    def note_count(self, volume_id: str, of: str, count: int) -> None:
        file = self._counter(volume_id, of)
        part = file.with_suffix(".part")
        with part.open("w") as writer:
            writer.write(str(count))
            writer.flush()
            os.fsync(writer.fileno())
        publish(part, file)

    def add(self, part: Path, volume_id: str) -> None:
        """Let a finished file become the volume."""
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fchmod(descriptor, 0o600)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        publish(part, self.file(volume_id))

    def rename(self, old: str, new: str) -> None:
        """Let a volume have another id, and a life of its own."""
        for of in COUNTERS:
            self._counter(old, of).unlink(missing_ok=True)
        publish(self.file(old), self.file(new))

    def remove(self, volume_id: str) -> None:
        for file in (self.file(volume_id), *(self._counter(volume_id, of) for of in COUNTERS)):
            file.unlink(missing_ok=True)
        sync_folder(self.path)

    def room(self) -> tuple[int, int]:
        """(total, free) in GiB."""
        status = os.statvfs(self.path)
        return status.f_blocks * status.f_frsize // GIB, status.f_bavail * status.f_frsize // GIB

    def _counter(self, volume_id: str, of: str) -> Path:
        return self.file(volume_id).with_suffix(f".{of}")
