"""Copies of machines' disks: made to be sent to the control plane, and gone when they were."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from cumulet.drivers.hypervisor.base import OffersSnapshot

_DISK = re.compile(r"[a-z0-9-]{1,64}\Z")


class DiskCopies:
    """Answers the question for a copy with a file. `folder` has room for a disk."""

    def __init__(self, hypervisor: OffersSnapshot, folder: Path) -> None:
        self._hypervisor = hypervisor
        self._folder = folder

    @asynccontextmanager
    async def copy(self, parameters: Mapping[str, str]) -> AsyncIterator[Path]:
        """A file with the disk as it is now. Raises LookupError, ValueError, and what the hypervisor raises."""
        disk = parameters.get("disk", "root")
        if not _DISK.match(disk):
            raise ValueError("this is no disk's name")
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as own:
            path = Path(own) / "disk"
            await self._hypervisor.snapshot(parameters["machine"], disk, parameters.get("format", "qcow2"), str(path))
            yield path
