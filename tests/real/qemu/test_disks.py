"""Disks of machines: kept, grown, served, copied."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import msgspec
import pytest

from cumulet.contracts.machines import Bus, DeviceType, DiskSpec, Power
from cumulet.drivers.hypervisor.qemu.journal import Folder
from cumulet.lib import process
from cumulet.lib.qcow2 import read_header
from tests.real.qemu.asked import as_ordered, change, folder, running, size_seen
from tests.support.exports import found_behind
from tests.support.hypervisors.doors import STORAGE_USER
from tests.support.hypervisors.qemu import QemuWorld
from tests.support.hypervisors.worlds import machine, with_volume
from tests.support.patience import HANG_SECONDS

pytestmark = pytest.mark.root


GIB = 1 << 30


async def test_disks_are_kept_rebuilt_and_left_alone_by_a_rescue(world: QemuWorld) -> None:
    spec = await running(world)
    await as_ordered(world, change(spec, rescue=world.image("rescue")))
    await world.says(spec.id, "rescue boot 1")
    await as_ordered(world, spec)
    await world.says(spec.id, "guest boot 2")
    await as_ordered(world, change(spec, rebuilds=1))
    await world.says(spec.id, "guest boot 1", 2)


async def test_a_root_disk_grows_with_its_flavor(world: QemuWorld) -> None:
    spec = machine(world, wanted=Power.STOPPED)
    small = change(spec, wanted=Power.RUNNING, disks=(change(spec.disks[0], size_gib=1),))
    await as_ordered(world, small)
    root = folder(world, spec).disks / "root.qcow2"
    assert read_header(root).virtual_size == GIB
    large = change(small, disks=(change(spec.disks[0], size_gib=3),), vcpus=2, hard_reboots=1)
    await as_ordered(world, large)
    assert read_header(root).virtual_size == 3 * GIB
    await as_ordered(world, change(small, hard_reboots=2))
    assert read_header(root).virtual_size == 3 * GIB


async def test_blank_disks_and_the_config_drive(world: QemuWorld) -> None:
    spec = machine(world, config_drive=True)
    more = (
        DiskSpec(id="ephemeral0", device="vdb", size_gib=1, format="ext4"),
        DiskSpec(id="swap", device="vdc", size_mib=64, format="swap"),
        DiskSpec(id="ephemeral1", device="vdd", size_gib=1, format="vfat"),
    )
    await as_ordered(world, change(spec, disks=(*spec.disks, *more)))
    await world.boots(spec.id, 1)
    disks = folder(world, spec).disks
    names = {"ephemeral0.raw": b"ext4", "swap.raw": b"swap", "ephemeral1.raw": b"vfat", "config.iso": b"iso9660"}
    for name, kind in names.items():
        found = await process.run(["blkid", "-p", "-o", "export", str(disks / name)], timeout=10)
        label = b"config-2" if name == "config.iso" else name.removesuffix(".raw").encode()
        assert b"TYPE=" + kind in found.stdout.splitlines()
        assert b"LABEL=" + (label.upper() if kind == b"vfat" else label) in found.stdout.upper().splitlines() or (
            b"LABEL=" + label in found.stdout.splitlines()
        )
    assert (disks / "ephemeral0.raw").stat().st_size == GIB


async def test_volumes_on_other_buses(world: QemuWorld) -> None:
    cdrom, scsi, ide = world.volume(), world.volume(), world.volume()
    spec = machine(world)
    spec = with_volume(spec, ide, bus=Bus.IDE, device="hda")
    spec = with_volume(spec, cdrom, bus=Bus.IDE, device="hdb", device_type=DeviceType.CDROM)
    await as_ordered(world, spec)
    await world.boots(spec.id, 1)
    more = with_volume(spec, scsi, bus=Bus.SCSI, device="sda", serial=scsi.volume_id[:20])
    facts = await as_ordered(world, more)
    assert facts.disks[-1] == scsi.volume_id
    await as_ordered(world, spec)
    late = await world.door.ensure(with_volume(spec, world.volume(), bus=Bus.IDE))
    assert late.fault is not None
    assert (late.fault.code, late.digest) == (400, "")


async def test_a_volume_that_is_open_is_changed_by_its_machine(world: QemuWorld) -> None:
    volume = world.volume()
    spec = machine(world)
    assert await world.door.machines_with(volume.volume_id) == []
    spec = with_volume(spec, volume)
    await as_ordered(world, spec)
    assert await world.door.machines_with(volume.volume_id) == [spec.id]
    file = Path(world.volume_file(volume))
    for _ in range(2):
        await world.door.take_volume_snapshot(volume.volume_id, "first")
        await world.door.resize_volume(volume.volume_id, 2 * GIB)
    assert read_header(file).virtual_size == 2 * GIB
    assert list(read_header(file).snapshots) == ["first"]
    grown = change(spec, disks=(spec.disks[0], change(spec.disks[1], size_gib=3)))
    await as_ordered(world, grown)
    assert read_header(file).virtual_size == 3 * GIB
    for _ in range(2):
        await world.door.drop_volume_snapshot(volume.volume_id, "first")
    assert list(read_header(file).snapshots) == []
    await as_ordered(world, change(grown, wanted=Power.STOPPED))
    assert await world.door.machines_with(volume.volume_id) == []


async def test_a_guest_does_not_notice_the_end_of_what_serves_its_volume(world: QemuWorld) -> None:
    volume = await world.far_volume()
    spec = with_volume(await running(world), volume)
    await as_ordered(world, spec)
    folder = Folder.of(world.folder / world.state, spec.id)
    way = folder.relay(folder.load().numbers[volume.volume_id])  # type: ignore[union-attr]
    assert await asyncio.to_thread(found_behind, way, "write -P 7 0 64k")
    for ending in (way.parent.parent, world.folder / "exports" / volume.volume_id):
        identity = msgspec.json.decode((ending / "daemon.json").read_bytes())["process"]
        process.send_signal(process.Identity(**identity), signal.SIGKILL)
        assert await asyncio.to_thread(found_behind, way, "read -P 7 0 64k", "write -P 7 64k 64k")
    await as_ordered(world, spec)
    # Its volume grows meanwhile; how far is told to whoever connects.
    file = Path(world.volume_file(volume))
    await world.exports.pause(volume.volume_id)
    await process.run(["qemu-img", "resize", "-q", "-f", "qcow2", str(file), "2G"], timeout=20)
    await world.exports.ensure(volume.volume_id, file, volume.secret)
    assert await asyncio.to_thread(found_behind, way, "read -P 7 0 128k")
    assert not await asyncio.to_thread(found_behind, way, "write 1536M 64k")
    root, disk = spec.disks
    await as_ordered(world, change(spec, disks=(root, change(disk, size_gib=2))))
    assert await size_seen(world, folder, volume.volume_id) == 2 * GIB
    assert await asyncio.to_thread(found_behind, way, "write 1536M 64k", "read -P 7 0 128k")
    # What a guest could become may neither end these daemons nor read what they know.
    for daemon in (way.parent.parent, world.folder / "exports" / volume.volume_id):
        status = Path(f"/proc/{msgspec.json.decode((daemon / 'daemon.json').read_bytes())['process']['pid']}").stat()
        assert status.st_uid == STORAGE_USER.uid
    assert not list(folder.relays.rglob("*.psk"))
    [key] = (world.folder / "exports").rglob("*.psk")
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_copies_hold_what_the_disk_holds(world: QemuWorld, tmp_path: Path) -> None:
    spec = await running(world)
    root = folder(world, spec).disks / "root.qcow2"
    for format in ("qcow2", "raw", "vmdk"):
        live = tmp_path / f"live.{format}"
        await world.door.snapshot(spec.id, "root", format, str(live))
        await process.run(["qemu-img", "compare", "-U", "-f", format, "-F", "qcow2", str(live), str(root)], timeout=60)
    await as_ordered(world, change(spec, wanted=Power.STOPPED))
    still = tmp_path / "still.qcow2"
    await world.door.snapshot(spec.id, "root", "qcow2", str(still))
    assert b"backing" not in (await process.run(["qemu-img", "info", str(still)], timeout=10)).stdout
    await process.run(["qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", str(still), str(root)], timeout=60)
    assert {path.name for path in folder(world, spec).disks.iterdir()} == {"root.qcow2", "root.base"}


async def test_a_copy_that_was_broken_off_does_not_stand_in_the_way(world: QemuWorld, tmp_path: Path) -> None:
    volume = world.volume()
    spec = machine(world)
    await as_ordered(world, with_volume(spec, volume))
    copying = asyncio.ensure_future(world.door.snapshot(spec.id, volume.volume_id, "qcow2", str(tmp_path / "a")))
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            await asyncio.sleep(0.001)
            if list(folder(world, spec).disks.glob("copy.*")):
                break
    await world.open()
    copying.cancel()
    await asyncio.wait([copying])
    assert await world.door.snapshot(spec.id, volume.volume_id, "qcow2", str(tmp_path / "b")) > 0
    await world.door.remove(spec.id)
