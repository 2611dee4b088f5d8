"""What only real machines can show."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from cumulet.contracts.machines import Bus, DeviceType, DiskSpec, MachineFacts, MachineSpec, Power
from cumulet.contracts.record import digest_of
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu.journal import Folder
from cumulet.drivers.hypervisor.qemu.probe import boots, probe
from cumulet.lib import process
from cumulet.lib.qcow2 import read_header
from cumulet.lib.qmp import Monitor
from cumulet.programs.images.tiny import READY
from tests.support.exports import found_behind
from tests.support.guest_image import tiny_image
from tests.support.hypervisors.doors import GUEST_USER, STORAGE_USER, tap_name, tcg
from tests.support.hypervisors.qemu import QemuWorld
from tests.support.hypervisors.worlds import machine, with_volume

pytestmark = pytest.mark.root
change = msgspec.structs.replace
GIB = 1 << 30


@pytest.fixture
async def world() -> AsyncIterator[QemuWorld]:
    made = QemuWorld(await tcg())
    yield made
    await made.close()


async def as_ordered(world: QemuWorld, spec: MachineSpec) -> MachineFacts:
    facts = await world.door.ensure(spec)
    assert facts.fault is None
    assert facts.digest == digest_of(spec)
    return facts


async def running(world: QemuWorld, **changes: object) -> MachineSpec:
    spec = machine(world, **changes)
    await as_ordered(world, spec)
    await world.boots(spec.id, 1)
    return spec


async def size_seen(world: QemuWorld, folder: Folder, volume_id: str) -> int:
    """How large the machine believes a volume to be."""
    await world.door.close()  # a monitor listens to one at a time
    journal = folder.load()
    assert journal is not None
    monitor = await Monitor.connect(folder.sockets.monitor, lambda event: None, 5)
    try:
        nodes = await monitor.ask("query-named-block-nodes")
    finally:
        await monitor.close()
    [node] = [node for node in nodes if node["node-name"] == f"disk{journal.numbers[volume_id]}"]
    return int(node["image"]["virtual-size"])


def folder(world: QemuWorld, spec: MachineSpec) -> Folder:
    return Folder.of(world.folder / "state", spec.id)


async def test_memory_goes_on_where_it_was(world: QemuWorld) -> None:
    spec = await running(world)
    world.press(spec.id, "k")
    await world.says(spec.id, "key 1")
    await as_ordered(world, change(spec, wanted=Power.SUSPENDED))
    assert folder(world, spec).memory.stat().st_size > 0
    await as_ordered(world, spec)
    assert not folder(world, spec).memory.exists()
    world.press(spec.id, "k")
    await world.says(spec.id, "key 2")


async def test_disks_are_kept_rebuilt_and_left_alone_by_a_rescue(world: QemuWorld) -> None:
    spec = await running(world)
    await as_ordered(world, change(spec, rescue=world.image("rescue")))
    await world.says(spec.id, "rescue boot 1")
    await as_ordered(world, spec)
    await world.says(spec.id, "guest boot 2")
    await as_ordered(world, change(spec, rebuilds=1))
    await world.says(spec.id, "guest boot 1", 2)


async def test_interrupts_reach_the_guest(world: QemuWorld) -> None:
    spec = await running(world)
    facts = await as_ordered(world, change(spec, interrupts=1))
    assert facts.interrupts == 1
    await world.says(spec.id, "nmi")
    await as_ordered(world, change(spec, interrupts=1))
    await world.says(spec.id, "nmi")


async def test_a_machine_has_no_rights(world: QemuWorld) -> None:
    spec = await running(world, nics=(world.port(),))
    (pid,) = world.processes(spec.id)
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert status["Uid"].split() == [str(GUEST_USER.uid)] * 4
    assert status["Gid"].split() == [str(GUEST_USER.gid)] * 4
    assert status["Groups"].split() == []
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    inside = os.stat(f"/run/netns/{world.namespace}")
    assert os.stat(f"/proc/{pid}/ns/net").st_ino == inside.st_ino
    opened = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    assert not {path for path in opened if path.endswith((".json", "hypervisor.py"))}


async def test_a_process_that_was_not_noted_is_found(world: QemuWorld) -> None:
    spec = await running(world)
    await world.door.close()
    journal = folder(world, spec).load()
    assert journal is not None
    folder(world, spec).save(change(journal, process=None))
    await world.open()
    (facts,) = await world.door.found()
    assert facts.power is Power.RUNNING
    await as_ordered(world, spec)
    assert len(world.processes(spec.id)) == 1
    assert world.identity(spec.id) == journal.process


async def test_a_process_of_an_earlier_boot_is_nobody(world: QemuWorld) -> None:
    spec = await running(world)
    await world.door.close()
    journal = folder(world, spec).load()
    assert journal is not None
    assert journal.process is not None
    await process.kill(journal.process)
    folder(world, spec).save(change(journal, process=change(journal.process, boot="before")))
    await world.open()
    (facts,) = await world.door.found()
    assert (facts.power, facts.digest, facts.fault) == (Power.STOPPED, "", None)
    await as_ordered(world, spec)
    await world.boots(spec.id, 2)


async def test_machines_go_down_with_their_host_and_come_back(world: QemuWorld) -> None:
    spec, off = await running(world), machine(world, wanted=Power.STOPPED)
    await as_ordered(world, off)
    for order in (spec, off):
        await world.door.halt(order.id)
    await world.says(spec.id, "bye")
    assert {facts.power for facts in await world.door.found()} == {Power.STOPPED}
    await as_ordered(world, spec)
    await world.boots(spec.id, 2)


async def test_a_damaged_journal_hides_no_other_machine(world: QemuWorld) -> None:
    spec, other = await running(world), machine(world, wanted=Power.STOPPED)
    await as_ordered(world, other)
    folder(world, other).journal.write_text("{")
    await world.open()
    facts = {facts.id: facts for facts in await world.door.found()}
    assert facts[spec.id].power is Power.RUNNING
    fault = facts[other.id].fault
    assert fault is not None
    assert "journal" in fault.message
    assert (await world.door.ensure(other)).fault == fault
    folder(world, other).journal.unlink()
    await as_ordered(world, other)


async def kill_while_it_works(world: QemuWorld, spec: MachineSpec, seconds: float) -> None:
    node = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.mortal_node", str(world.folder), world.namespace),
        *(msgspec.json.encode(record).decode() for record in (world.abilities, spec)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert node.stdin is not None
    assert node.stdout is not None
    async with asyncio.timeout(60):
        assert await node.stdout.readline() == b"ready\n"
        node.stdin.write(b"\n")
        await node.stdin.drain()
        await asyncio.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):  # It may have been faster.
            node.kill()
        await node.wait()


@pytest.mark.parametrize("seed", range(6))
async def test_whenever_the_node_is_killed_there_is_one_machine_as_ordered(world: QemuWorld, seed: int) -> None:
    chance = random.Random(seed)
    spec, port, volume = machine(world), world.port(), world.volume()
    fuller = change(with_volume(spec, volume), nics=(port,))
    orders = [
        spec,
        fuller,
        change(spec, wanted=Power.SUSPENDED),
        fuller,
        change(spec, hard_reboots=1),
        change(fuller, hard_reboots=1, soft_reboots=1),
        change(spec, rebuilds=1, hard_reboots=1, soft_reboots=1),
    ]
    await world.door.close()
    for order in orders:
        await kill_while_it_works(world, order, chance.uniform(0, 0.15))
        assert len(world.processes(spec.id)) <= 1
    last = change(orders[-1], wanted=chance.choice([Power.RUNNING, Power.SUSPENDED, Power.STOPPED]))
    await world.open()
    facts = await as_ordered(world, last)
    assert facts.power is last.wanted
    assert len(world.processes(spec.id)) == (last.wanted is Power.RUNNING)


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
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.001)
            if list(folder(world, spec).disks.glob("copy.*")):
                break
    await world.open()
    copying.cancel()
    await asyncio.wait([copying])
    assert await world.door.snapshot(spec.id, volume.volume_id, "qcow2", str(tmp_path / "b")) > 0
    await world.door.remove(spec.id)


async def test_sockets_and_the_log(world: QemuWorld) -> None:
    spec = await running(world, console_log_kib=1)
    with socket.socket(socket.AF_UNIX) as screen:
        screen.settimeout(10)
        screen.connect(world.door.vnc_socket(spec.id))
        assert screen.recv(12).startswith(b"RFB 003.")
    log = folder(world, spec).sockets.console_log
    log.unlink()
    log.symlink_to("/etc/passwd")
    with pytest.raises(Exception, match="not a console log"):
        await world.door.console_log(spec.id, 100)
    folder(world, spec).sockets.vnc.unlink()
    folder(world, spec).sockets.vnc.symlink_to("/run/other")
    with pytest.raises(FileNotFoundError):
        world.door.vnc_socket(spec.id)


async def test_a_card_is_alive_while_its_machine_is(world: QemuWorld) -> None:
    port = world.port()
    argv = ["ip", "-n", world.namespace, "link", "set", tap_name(port.port_id), "up"]
    await process.run(argv, timeout=10)

    def carrier() -> bytes:
        show = ["ip", "-n", world.namespace, "-o", "link", "show", tap_name(port.port_id)]
        return subprocess.run(show, check=True, capture_output=True, timeout=10).stdout

    assert b"NO-CARRIER" in carrier()
    spec = await running(world, nics=(port,))
    assert b"LOWER_UP" in carrier()
    await as_ordered(world, change(spec, nics=()))
    assert b"NO-CARRIER" in carrier()


async def test_a_port_that_is_not_there_yet(world: QemuWorld) -> None:
    port = change(world.port(), port_id="0badcafe-0000-4000-8000-000000000000")
    spec = machine(world, nics=(port,))
    facts = await world.door.ensure(spec)
    assert facts.fault is not None
    assert "0badcafe" in facts.fault.details
    assert (facts.fault.code, facts.power, facts.digest) == (500, Power.STOPPED, "")
    argv = ["ip", "-n", world.namespace, "tuntap", "add", "dev", tap_name(port.port_id), "mode", "tap"]
    await process.run(argv, timeout=10)
    await as_ordered(world, spec)


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
