"""The hypervisor of QEMU over the folder of a world, for this process or another."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from cumulet.contracts.machines import (
    ImageRef,
    VolumeConnection,
)
from cumulet.drivers.hypervisor.base import (
    Belongings,
    ImageUnusable,
    MachineFailed,
    Opening,
    OpenWay,
)
from cumulet.drivers.hypervisor.qemu.driver import QemuHypervisor
from cumulet.drivers.hypervisor.qemu.probe import Abilities, probe
from cumulet.lib.process import User

GUEST_USER = User(64_055, 64_055)
"""Nobody's numbers: what runs as them can open only what it was given."""


STORAGE_USER = User(64_056, GUEST_USER.gid)


class _Images:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def path(self, image: ImageRef) -> str:
        file = self._folder / f"{image.sha512}.qcow2"
        if not file.exists():
            raise ImageUnusable("the image is damaged")
        return str(file)


class _Volumes:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, connection: VolumeConnection) -> str:
        return str(volume_file(self._folder, connection))

    async def opening(self, connection: VolumeConnection) -> Opening:
        raise MachineFailed("There is no cluster here.")


def volume_file(folder: Path, connection: VolumeConnection) -> Path:
    return folder / f"{connection.volume_id}-{connection.backend}.qcow2"


def qemu_door(
    folder: Path,
    namespace: str,
    abilities: Abilities,
    state: str = "state",
    belongings: Belongings | None = None,
    open_way: OpenWay | None = None,
) -> QemuHypervisor:
    """A hypervisor over a world's folder, for this process or another."""
    return QemuHypervisor(
        folder / state,
        _Images(folder / "images"),
        _Volumes(folder / "volumes"),
        tap_name,
        lambda guest, machine_id: {"openstack/latest/meta_data.json": f'{{"uuid": "{machine_id}"}}'.encode()},
        abilities=abilities,
        belongings=belongings,
        open_way=open_way,
        net_namespace=namespace,
        user=GUEST_USER,
        relay_user=STORAGE_USER,
        reach_seconds=3,
    )


def tap_name(port_id: str) -> str:
    return f"tap{port_id[:8]}"


async def tcg() -> Abilities:
    """What this machine can do for sure: the suites are the same everywhere."""
    state = Path(tempfile.mkdtemp(prefix="cumulet-"))
    try:
        found = await probe(state)
    finally:
        shutil.rmtree(state)
    return Abilities(accelerator="tcg", version=found.version)
