"""The backends of this node, by the names that its operator gave them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from cumulet.contracts.backends import LOCAL, BackendFacts, Storage, Terms
from cumulet.contracts.machines import VolumeConnection
from cumulet.drivers.hypervisor.base import Opening, Unfit
from cumulet.drivers.volume.base import CopyFailed, Volumes, VolumesAsFiles, VolumesByRelay
from cumulet.lib.sparse import Parcel

LOOK_SECONDS = 5.0
"""How long a backend may take to say what it is. A storage far away can be silent for ever."""


class Backends(Mapping[str, Volumes]):
    """Drivers by name, and what their operator set about each."""

    def __init__(self, drivers: Mapping[str, Volumes], terms: Mapping[str, Terms] | None = None) -> None:
        self._drivers = drivers
        self._terms = terms or {}
        self._looks: dict[str, asyncio.Task[Storage]] = {}
        self._last: dict[str, Storage] = {}

    def __getitem__(self, name: str) -> Volumes:
        return self._drivers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._drivers)

    def __len__(self) -> int:
        return len(self._drivers)

    def called(self, name: str) -> Volumes:
        """The backend of this name. Raises CopyFailed: it is asked for in questions."""
        driver = self._drivers.get(name or LOCAL)
        if driver is None:
            raise CopyFailed(f"there is no backend {name[:64]!r} here")
        return driver

    async def facts(self) -> tuple[BackendFacts, ...]:
        """What is to be said of all of them. One that is silent is said to be."""
        return tuple(await asyncio.gather(*(self._facts(name) for name in self._drivers)))

    async def _facts(self, name: str) -> BackendFacts:
        if name not in self._looks:
            self._looks[name] = asyncio.ensure_future(self._drivers[name].about())
        look = self._looks[name]
        done, _ = await asyncio.wait([look], timeout=LOOK_SECONDS)
        if done:
            # One that is asked still is not asked again.
            del self._looks[name]
            try:
                self._last[name] = look.result()
            except OSError as error:
                self._forgive(name, f"it cannot be used: {error.strerror or error}")
        else:
            self._forgive(name, f"it has not answered within {LOOK_SECONDS:.0f} s")
        return BackendFacts(name=name, storage=self._last[name], terms=self._terms.get(name, Terms()))

    def _forgive(self, name: str, fault: str) -> None:
        last = self._last.get(name, Storage(driver=self._drivers[name].name))
        self._last[name] = msgspec.structs.replace(last, fault=fault)

    def path(self, connection: VolumeConnection) -> str:
        """The file of a volume that machines of this node open. Raises Unfit."""
        driver = self._drivers.get(connection.backend)
        if not isinstance(driver, VolumesAsFiles):
            raise Unfit(f"this node has no backend {connection.backend!r} whose volumes are files")
        return driver.path(connection.volume_id)

    async def opening(self, connection: VolumeConnection) -> Opening:
        """How machines' relays open a volume that is no file. Raises MachineFailed and Unfit."""
        driver = self._drivers.get(connection.backend)
        if not isinstance(driver, VolumesByRelay):
            raise Unfit(f"this node has no backend {connection.backend!r} whose volumes can be opened")
        return await driver.opening(connection.volume_id)

    # ---- what is asked of this node ----------------------------------------------------------------------------------

    def copied(self, asked: Mapping[str, str]) -> AbstractAsyncContextManager[Path]:
        return self.called(asked.get("backend", "")).copied(asked["volume"], asked.get("format", "qcow2"))

    def file(self, asked: Mapping[str, str]) -> AbstractAsyncContextManager[Parcel]:
        return self.called(asked.get("backend", "")).file(asked["volume"])
