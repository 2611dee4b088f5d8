"""What cannot be is said; firmware, grown-up guests, and what a host is able to do."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from cumulet.contracts.machines import DiskSpec, Power
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu.probe import boots, probe
from cumulet.lib import process
from cumulet.programs.images.tiny import READY
from tests.real.qemu.asked import as_ordered, change, folder
from tests.support.guest_image import tiny_image
from tests.support.hypervisors.qemu import QemuWorld
from tests.support.hypervisors.worlds import machine, with_volume

pytestmark = pytest.mark.root


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"machine_type": "abacus"}, 400),
        ({"cpu_model": "abacus"}, 500),
        ({"disks": (DiskSpec(id="../root", device="vda", size_gib=1),)}, 400),
        ({"disks": (DiskSpec(id="root", device="vda"),)}, 400),
        ({"disks": (DiskSpec(id="root", device="vda", size_gib=1, format="clay"),)}, 400),
    ],
)
async def test_what_cannot_be_is_said_and_can_be_put_right(
    world: QemuWorld, changes: dict[str, object], code: int
) -> None:
    spec = machine(world)
    facts = await world.door.ensure(change(spec, **changes))
    assert facts.fault is not None
    assert facts.fault.code == code
    assert (facts.power, facts.digest) == (Power.STOPPED, "")
    await as_ordered(world, change(spec, hard_reboots=1))
    await world.boots(spec.id, 1)


async def test_images_that_do_not_fit(world: QemuWorld) -> None:
    spec = machine(world)
    unknown = change(spec.disks[0].image or world.image(), sha512="unknown")
    facts = await world.door.ensure(change(spec, disks=(change(spec.disks[0], image=unknown),)))
    assert facts.fault is not None
    assert (facts.fault.code, facts.fault.message) == (400, "the image is damaged")
    file = world.folder / "images" / "large.qcow2"
    await process.run(["qemu-img", "create", "-f", "qcow2", str(file), "2G"], timeout=10)
    large = change(unknown, sha512="large")
    facts = await world.door.ensure(change(spec, disks=(change(spec.disks[0], image=large, size_gib=1),)))
    assert facts.fault is not None
    assert (facts.fault.code, facts.fault.message) == (400, "the flavor's disk is too small for the image")


async def test_uefi_machines_have_variables_of_their_own(world: QemuWorld) -> None:
    spec = machine(world, firmware="uefi", memory_mib=128)
    await as_ordered(world, spec)
    assert (folder(world, spec).disks / "flash.fd").stat().st_size > 0
    await as_ordered(world, change(spec, wanted=Power.SUSPENDED))
    facts = await as_ordered(world, spec)
    assert facts.power is Power.RUNNING


async def test_a_grown_up_guest(world: QemuWorld) -> None:
    """Linux reads its config drive, calls a volume by the name that the API gives it, lets go of it, and shuts down."""
    image = await asyncio.to_thread(tiny_image)
    await asyncio.to_thread(shutil.copy, image, world.folder / "images" / "tiny.qcow2")
    spec = machine(world, memory_mib=192, config_drive=True, shutdown_seconds=60)
    root = change(spec.disks[0], image=change(spec.disks[0].image or world.image(), sha512="tiny"))
    spec, volume = change(spec, disks=(root,)), world.volume()
    await as_ordered(world, spec)
    await world.says(spec.id, f"instance {spec.id}", patience=90)
    await world.says(spec.id, READY, patience=90)
    with world.line(spec.id) as line:
        await line.dialogue("", "login:")
        await line.dialogue("cirros", "Password:")
        await line.dialogue("gocubsgo", "$ ")
        await as_ordered(world, with_volume(spec, volume, serial=volume.volume_id[:20]))
        await line.dialogue("cat /sys/block/vdb/serial", f"{volume.volume_id[:20]}")
        await as_ordered(world, spec)
        await line.dialogue("ls /sys/block | wc -l", "\n2\r")
    await as_ordered(world, change(spec, wanted=Power.STOPPED))
    assert b"Power down" in await world.door.console_log(spec.id, 1 << 20)


async def test_a_machine_that_is_not_there(world: QemuWorld) -> None:
    with pytest.raises(MachineFailed):
        await world.door.diagnostics("5f1c3a52-6ac7-4be1-9d5f-0d5a2f4d7a01")
    never_on = machine(world, wanted=Power.STOPPED)
    await as_ordered(world, never_on)
    with pytest.raises(MachineFailed):
        await world.door.snapshot(never_on.id, "root", "qcow2", str(world.folder / "copy"))


async def test_what_this_host_can_do_is_found_out_once(tmp_path: Path) -> None:
    assert await boots("qemu-system-x86_64", "tcg", None) == ""
    assert "abacus" in await boots("qemu-system-x86_64", "abacus", None)
    first = await probe(tmp_path)
    assert first.accelerator in ("kvm", "tcg")
    assert (first.accelerator == "kvm") == (first.reason == "")
    assert 5_000_000 < first.version < 100_000_000
    before = (tmp_path / "hypervisor.json").stat()
    assert await probe(tmp_path) == first
    assert (tmp_path / "hypervisor.json").stat().st_mtime_ns == before.st_mtime_ns
