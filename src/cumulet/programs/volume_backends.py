"""The backends of volumes that the settings name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cumulet.contracts.backends import LOCAL
from cumulet.drivers.hypervisor.base import ImageFiles
from cumulet.drivers.volume.base import OpenVolumes, Supplies, Volumes
from cumulet.drivers.volume.files.exports import Exports
from cumulet.drivers.volume.files.volumes import FileVolumes
from cumulet.drivers.volume.nfs import NfsVolumes
from cumulet.drivers.volume.raw.files import FileStore
from cumulet.drivers.volume.raw.rbd import RbdStore
from cumulet.drivers.volume.raw.store import Store
from cumulet.drivers.volume.raw.targets import Targets
from cumulet.drivers.volume.raw.volumes import RawVolumes
from cumulet.lib.mounts import Mount
from cumulet.lib.process import User
from cumulet.node.volumes.backends import Backends
from cumulet.programs.volume_settings import (
    FilesBackend,
    IscsiBackend,
    NfsBackend,
    RbdBackend,
    VolumeBackend,
    VolumeSettings,
)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What drivers of volumes are given on a node."""

    folder: Path
    images: ImageFiles
    supplies: Supplies
    machines: OpenVolumes
    exports: Exports
    node: str
    user: User | None
    """Who opens the volumes' files."""
    storage_user: User | None = None
    """Who speaks to other hosts about volumes, and opens those that are no files."""
    address: str = ""
    """Where other hosts reach this one."""


def make(settings: VolumeSettings, around: Surroundings) -> Backends:
    """Drivers for all backends. Nothing is asked of them yet."""
    named = named_in(settings)
    drivers = {name: _driver(name, backend, around) for name, backend in named.items()}
    return Backends(drivers, {name: backend.terms for name, backend in named.items()})


def named_in(settings: VolumeSettings) -> dict[str, VolumeBackend]:
    return settings.backends or {LOCAL: FilesBackend()}


def _driver(name: str, backend: VolumeBackend, around: Surroundings) -> Volumes:
    match backend:
        case FilesBackend():
            return _files(around, Path(backend.path) if backend.path else _folder(around.folder, name))
        case NfsBackend():
            share = Mount("nfs", backend.share, backend.options, around.folder / "mounts" / name)
            return NfsVolumes(share, around.node, partial(_files, around))
        case RbdBackend():
            return _raw("rbd", name, RbdStore(backend.pool, backend.user, backend.conf), around)
        case IscsiBackend():
            folder = Path(backend.path) if backend.path else _folder(around.folder, name) / "raw"
            targets = Targets(
                _folder(around.folder, name) / "target", around.address, backend.port, user=around.storage_user
            )
            return _raw("iscsi", name, FileStore(folder, around.storage_user), around, targets)


def _raw(driver: str, name: str, store: Store, around: Surroundings, targets: Targets | None = None) -> RawVolumes:
    return RawVolumes(
        driver,
        store,
        _folder(around.folder, name),
        around.images,
        around.supplies,
        machines=around.machines,
        targets=targets,
        user=around.user,
        daemon_user=around.storage_user,
    )


def _files(around: Surroundings, folder: Path, parts: Path | None = None) -> FileVolumes:
    return FileVolumes(
        folder,
        around.images,
        around.supplies,
        machines=around.machines,
        exports=around.exports,
        user=around.user,
        parts=parts,
    )


def _folder(folder: Path, name: str) -> Path:
    return folder if name == LOCAL else folder / "backends" / name
