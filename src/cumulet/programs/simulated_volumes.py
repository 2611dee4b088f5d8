"""The backends of a simulated node: for each that the settings name, one that pretends to be of its kind."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.contracts.backends import LOCAL, Storage, Terms
from cumulet.drivers.volume.base import Supplies, Volumes
from cumulet.drivers.volume.fake import FAKE_STORAGE, FakeVolumes, VolumeWorld
from cumulet.drivers.volume.raw.files import LACKS as FILE_TARGETS_LACK
from cumulet.node.volumes.backends import Backends
from cumulet.programs.volume_settings import (
    FilesBackend,
    IscsiBackend,
    NfsBackend,
    RbdBackend,
    VolumeBackend,
    VolumeSettings,
)

DISK_GIB = 100_000
"""More than any laptop, so that the tests of tools meet quotas, not walls."""


Worlds = dict[str, VolumeWorld]


class VolumeWorlds:
    """What really exists on the backends of one node, by their names. Nodes share the worlds of shared storage."""

    def __init__(self, settings: VolumeSettings | None = None, shared: Worlds | None = None) -> None:
        self._named = (settings.backends if settings else None) or {LOCAL: FilesBackend()}
        shared = {} if shared is None else shared
        self._storages = {name: _pretended(name, backend) for name, backend in self._named.items()}
        self.worlds = {
            name: shared.setdefault(name, _world()) if storage.cluster else _world()
            for name, storage in self._storages.items()
        }

    def backends(self, supplies: Supplies, node: str) -> Backends:
        drivers: dict[str, Volumes] = {
            name: FakeVolumes(world, supplies, node, self._storages[name]) for name, world in self.worlds.items()
        }
        terms: dict[str, Terms] = {name: backend.terms for name, backend in self._named.items()}
        return Backends(drivers, terms)


def _world() -> VolumeWorld:
    return VolumeWorld(capacity_gib=DISK_GIB)


def _pretended(name: str, backend: VolumeBackend) -> Storage:
    match backend:
        case FilesBackend():
            return FAKE_STORAGE
        case NfsBackend():
            return Storage(driver="fake", protocol="nfs", cluster=f"simulated-{name}", content=FAKE_STORAGE.content)
        case RbdBackend():
            cluster = f"pretended-{backend.pool}"
            return replace(
                FAKE_STORAGE, protocol="ceph", cluster=cluster, opened="rbd", many=True, offered="", content=""
            )
        case IscsiBackend():
            return replace(
                FAKE_STORAGE, protocol="iSCSI", opened="", offered="iscsi", content="", lacks=FILE_TARGETS_LACK
            )
