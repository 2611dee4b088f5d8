"""Pretended machines live in time: they boot, fill disks, do not listen, and die; the same way for the same seed."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path

import msgspec
import pytest

from cumulet.contracts.machines import DiskSpec, GuestData, ImageRef, MachineSpec, Power
from cumulet.drivers.hypervisor.fake import FakeHypervisor, FakeMachines
from cumulet.lib.qcow2 import read_header
from tests.support.clock import JumpingClock
from tests.support.patience import HANG_SECONDS

change = msgspec.structs.replace
IMAGE = ImageRef(id="i", sha512="s", disk_format="qcow2", size=1 << 20)


def machine(number: int = 1) -> MachineSpec:
    return MachineSpec(
        id=str(uuid.UUID(int=number)),
        wanted=Power.RUNNING,
        vcpus=1,
        memory_mib=512,
        disks=(DiskSpec(id="root", device="vda", image=IMAGE, size_gib=10),),
        nics=(),
        guest=GuestData(hostname=f"guest-{number}", name="n", project_id="p"),
    )


async def test_a_guest_needs_time_to_boot() -> None:
    clock = JumpingClock()
    door = FakeHypervisor(FakeMachines(clock, boot_seconds=5))
    spec = machine()
    await door.ensure(spec)
    assert b"login" not in await door.console_log(spec.id, 1000)
    clock.jump(5)
    assert (await door.console_log(spec.id, 1000)).endswith(b"guest-1 login:\r\n")


async def deaths(seed: int) -> list[tuple[str, int]]:
    """Who dies, and after how many minutes."""
    clock = JumpingClock()
    door = FakeHypervisor(FakeMachines(clock, seed=seed, mean_life_seconds=3600))
    for number in range(5):
        await door.ensure(machine(number))
    start, died = clock.now(), []
    for _ in range(5):
        # Nobody moves the clock but the waiting itself.
        died.append((await door.changed(), (clock.now() - start) // 60_000_000))
    assert {facts.power for facts in await door.found()} == {Power.CRASHED}
    return died


async def test_machines_die_by_chance_and_chance_by_seed() -> None:
    assert await deaths(7) == await deaths(7)
    assert await deaths(7) != await deaths(8)
    assert len({machine_id for machine_id, _ in await deaths(7)}) == 5


async def test_a_machine_that_was_started_again_does_not_die_of_its_former_life() -> None:
    clock = JumpingClock()
    world = FakeMachines(clock, seed=1, mean_life_seconds=3600)
    door = FakeHypervisor(world)
    spec = machine()
    await door.ensure(spec)
    first = world.seconds_to_next_death()
    assert first is not None
    await door.ensure(change(spec, wanted=Power.STOPPED))
    clock.jump(first + 1)
    (facts,) = await door.found()
    assert facts.power is Power.STOPPED


async def test_guests_that_do_not_listen_are_waited_for() -> None:
    for share, seconds in ((0.0, 3), (1.0, 60)):
        clock = JumpingClock()
        door = FakeHypervisor(FakeMachines(clock, deaf_share=share, obey_seconds=3))
        await door.ensure(machine())
        before = clock.now()
        facts = await door.ensure(change(machine(), wanted=Power.STOPPED))
        assert facts.power is Power.STOPPED
        assert (clock.now() - before) // 1_000_000 == seconds


async def test_guests_fill_the_disk_of_the_node_and_wait_for_room() -> None:
    clock = JumpingClock()
    door = FakeHypervisor(FakeMachines(clock, disk_gib=4, writes_mib_per_hour=1024))
    first, second = machine(1), machine(2)
    for spec in (first, second):
        assert (await door.ensure(spec)).fault is None
    clock.jump(3 * 3600)
    facts = await door.ensure(first)
    assert facts.power is Power.PAUSED
    assert facts.fault is not None
    assert "no space left" in facts.fault.message
    assert facts.digest == ""
    await door.remove(second.id)
    facts = await door.ensure(first)
    assert (facts.power, facts.fault) == (Power.RUNNING, None)


async def test_a_guest_writes_no_more_than_its_disk_holds() -> None:
    clock = JumpingClock()
    door = FakeHypervisor(FakeMachines(clock, writes_mib_per_hour=1024))
    await door.ensure(machine())
    clock.jump(1000 * 3600)
    (disk,) = (await door.diagnostics(machine().id))["disk_details"]  # type: ignore[misc]
    assert disk["write_bytes"] == 10 << 30


async def test_a_reboot_of_the_host_is_no_fault_of_the_machines() -> None:
    world = FakeMachines(JumpingClock())
    door = FakeHypervisor(world)
    await door.ensure(machine(1))
    await door.ensure(change(machine(2), wanted=Power.SUSPENDED))
    world.reboot_host()
    assert [(facts.power, facts.fault) for facts in await door.found()] == [
        (Power.STOPPED, None),
        (Power.SUSPENDED, None),
    ]


@pytest.mark.parametrize("gib", [1, 20, 2000, 100_000])
async def test_a_copy_is_a_disk_of_the_right_size(gib: int, tmp_path: Path) -> None:
    door = FakeHypervisor(FakeMachines(JumpingClock()))
    spec = machine()
    await door.ensure(change(spec, disks=(change(spec.disks[0], size_gib=gib),)))
    target = tmp_path / "copy.qcow2"
    assert await door.snapshot(spec.id, "root", "qcow2", str(target)) == target.stat().st_size
    assert read_header(target).virtual_size == gib << 30


async def test_many_machines_cost_little() -> None:
    costs = []
    for count in (200, 2000):
        door = FakeHypervisor(FakeMachines(JumpingClock(), mean_life_seconds=1e9))
        specs = [machine(number) for number in range(count)]
        before = time.process_time()
        for spec in specs * 2:
            await door.ensure(spec)
        assert len(await door.found()) == count
        costs.append(time.process_time() - before)
    assert costs[1] < 40 * costs[0]  # ten times as many cost ten times as much; not a hundred times
    news = asyncio.ensure_future(door.changed())
    await asyncio.wait({news}, timeout=HANG_SECONDS)
    assert news.done()
