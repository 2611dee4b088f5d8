"""Copies of volumes are brought to their end from wherever whoever began them was killed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from cumulet.contracts.machines import DiskSpec, GuestData, MachineSpec, Power, VolumeConnection
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu import mirrors
from cumulet.drivers.hypervisor.qemu.devices import Disk
from cumulet.drivers.hypervisor.qemu.journal import Folder, Journal, Mirror, Went
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.pursuit import pursue
from cumulet.drivers.hypervisor.qemu.qemu_img import GIB
from cumulet.lib.process import Identity

SOURCE = VolumeConnection(volume_id="volume")
TARGET = VolumeConnection(volume_id="volume", backend="attic")
SPEC = MachineSpec(
    id="m",
    wanted=Power.RUNNING,
    vcpus=1,
    memory_mib=64,
    disks=(DiskSpec(id="volume", device="vdb", volume=SOURCE, goes_to=TARGET),),
    nics=(),
    guest=GuestData(hostname="h", name="n", project_id="p"),
)
BEFORE = Journal(
    spec=SPEC, running=SPEC, numbers={"volume": 1}, mirrors={"volume": Mirror(target=TARGET)}, power=Power.RUNNING
)
AFTER = {"job-complete": "pending", "job-finalize": "concluded"}


class Told(Machine):
    """A machine whose QEMU copies in no time, and keeps no more in mind than its job."""

    def __init__(self, place: Path, status: str) -> None:
        host: Any = SimpleNamespace(user=None, relay_user=None, disks=SimpleNamespace(grant_volume=lambda spec: None))
        super().__init__(host, Folder(place), BEFORE, lambda machine_id: None)
        self.status = status

    async def find_process(self) -> Identity | None:
        return Identity(pid=1, started=1, boot="boot")

    async def match_relays(self) -> None:
        """All is in files."""

    def disk(self, spec: DiskSpec, *, mirror: bool = False) -> Disk:
        return Disk(number=1, spec=spec, source={}, way=self.journal.way(spec.id, mirror=mirror))

    async def ask(self, command: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        if command == "query-jobs":
            return [{"id": "mirror-volume", "status": self.status}] if self.status else []
        if command == "query-named-block-nodes":
            nodes = [f"disk{self.journal.way('volume', mirror=mirror)}" for mirror in (False, True)]
            return [{"node-name": node, "image": {"virtual-size": GIB}} for node in nodes]
        if command == "blockdev-mirror":
            assert not self.status
            self.status = "ready"
        self.status = "" if command == "job-dismiss" else AFTER.get(command, self.status)
        return {}


@pytest.mark.parametrize("status", ["", "ready", "pending"])
async def test_a_copy_comes_to_its_end_from_wherever_it_was_left(tmp_path: Path, status: str) -> None:
    """First of all: it was noted, and QEMU was told nothing yet."""
    machine = Told(tmp_path, status)
    mirrors.see_to(machine)
    assert machine.mirroring is not None
    await machine.mirroring
    assert machine.journal.went == {"volume": Went(source=SOURCE, target=TARGET)}
    assert (machine.status, machine.journal.mirrors, machine.journal.crossed) == ("", {}, ("volume",))
    assert machine.folder.load() == machine.journal


class Cut(Told):
    """One whose way to the other place cannot be made any more."""

    async def match_relays(self) -> None:
        if not self.journal.mirrors["volume"].fault:
            raise MachineFailed("Volume volume could not be reached at its node.")


async def test_a_copy_ends_though_its_way_cannot_be_made(tmp_path: Path) -> None:
    """Else no order would be met any more, not even one by which the volume stays."""
    machine = Cut(tmp_path / "m", "concluded")
    tmp_path.joinpath("m").mkdir()
    with pytest.raises(MachineFailed):
        await pursue(machine, SPEC)
    assert machine.mirroring is not None
    await machine.mirroring
    assert "broke off" in machine.journal.mirrors["volume"].fault


async def test_what_breaks_off_is_said(tmp_path: Path) -> None:
    machine = Told(tmp_path, "concluded")
    mirrors.see_to(machine)
    assert machine.mirroring is not None
    await machine.mirroring
    assert "broke off" in machine.journal.mirrors["volume"].fault
    assert machine.journal == msgspec.structs.replace(BEFORE, mirrors=machine.journal.mirrors)
