"""Real machines that change their node while they run, with what they had in memory and on their disks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from cumulet.contracts.machines import DiskSpec, MachineFacts, MachineSpec, Power
from cumulet.contracts.moves import Arrival, Departure, Stage
from cumulet.contracts.record import digest_of
from tests.support.hypervisors.doors import qemu_door, tcg
from tests.support.hypervisors.qemu import QemuWorld
from tests.support.hypervisors.worlds import Door, machine
from tests.support.patience import HANG_SECONDS

pytestmark = pytest.mark.root
change = msgspec.structs.replace
SECRET = "5e" * 32


@pytest.fixture
async def world() -> AsyncIterator[QemuWorld]:
    made = QemuWorld(await tcg())
    yield made
    await made.close()


async def as_ordered(door: Door, spec: MachineSpec) -> None:
    facts = await door.ensure(spec)
    assert facts.fault is None
    assert facts.digest == digest_of(spec)


async def until(door: Door, spec: MachineSpec, stage: Stage) -> MachineFacts:
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            facts = await door.ensure(spec)
            if facts.move is not None and facts.move.stage is stage:
                return facts
            assert facts.fault is None, facts.fault
            await asyncio.sleep(0.02)


def ways(spec: MachineSpec, secret: str = SECRET) -> tuple[MachineSpec, MachineSpec]:
    leaves = Departure(move="m", address="there", memory_pass=spec.id, disks_pass=spec.id, secret=secret)
    arrives = Arrival(move="m", source="here", live=True, secret=SECRET)
    return change(spec, departure=leaves), change(spec, arrival=arrives)


async def pressed(world: QemuWorld, spec: MachineSpec, times: int) -> None:
    """Its guest counts keys in memory."""
    for count in range(1, times + 1):
        world.press(spec.id, "k")
        await world.says(spec.id, f"key {count}")


async def test_memory_and_disks_are_there(world: QemuWorld) -> None:
    scratch = DiskSpec(id="ephemeral0", device="vdb", size_gib=1)
    spec = machine(world)
    spec = change(spec, disks=(*spec.disks, scratch))
    door = world.door
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await pressed(world, spec, 2)
    leaving, arriving = ways(spec)
    other = await world.cross()
    await until(other, arriving, Stage.READY)
    left = await until(door, leaving, Stage.LEFT)
    assert left.move is not None
    assert left.move.progress.memory_total >= 32 << 20
    assert left.move.progress.disk_total >= 1 << 30
    assert left.move.progress.disk_remaining == 0
    await until(other, arriving, Stage.ARRIVED)
    await as_ordered(other, spec)
    world.press(spec.id, "k")
    await world.says(spec.id, "key 3")
    await door.remove(spec.id)
    await as_ordered(other, change(spec, hard_reboots=1))
    await world.says(spec.id, "guest boot 2")


async def test_nobody_without_the_secret_gets_a_machine(world: QemuWorld) -> None:
    spec, door = machine(world), world.door
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await pressed(world, spec, 1)
    leaving, arriving = ways(spec, secret="bad0" * 16)
    other = await world.cross()
    await until(other, arriving, Stage.READY)
    facts = await until(door, leaving, Stage.FAILED)
    assert facts.fault is not None
    assert facts.power is Power.RUNNING
    await as_ordered(door, spec)


async def test_what_comes_and_ends_there_is_still_here(world: QemuWorld) -> None:
    spec, door = machine(world), world.door
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    leaving, arriving = ways(spec)
    other = await world.cross()
    await until(other, arriving, Stage.READY)
    world.kill(spec.id)
    ended = await until(other, arriving, Stage.FAILED)
    assert ended.fault is not None
    assert (await until(door, leaving, Stage.FAILED)).power is Power.RUNNING
    await other.remove(spec.id)
    await as_ordered(door, spec)


async def test_an_agent_that_dies_on_the_way_costs_the_move_and_no_more(world: QemuWorld) -> None:
    spec = machine(world)
    await as_ordered(world.door, spec)
    await world.boots(spec.id, 1)
    await pressed(world, spec, 1)
    leaving, arriving = ways(spec)
    wire, state, namespace = world.wire, world.state, world.namespace
    first = world.door
    other = await world.cross()
    await until(other, arriving, Stage.READY)
    wire.stalls = True
    facts = await first.ensure(leaving)
    assert facts.move is not None
    assert facts.move.stage is Stage.LEAVING
    await first.close()
    again = qemu_door(world.folder, namespace, world.abilities, state, open_way=wire.open_way)
    try:
        failed = await again.ensure(leaving)
        assert failed.fault is not None
        assert failed.move is not None
        assert failed.move.stage is Stage.FAILED
        await as_ordered(again, spec)
        await other.remove(spec.id)
        log = await again.console_log(spec.id, 1 << 16)
        assert log.count(b"boot ") == 1
        assert (await again.ensure(spec)).power is Power.RUNNING
    finally:
        await again.remove(spec.id)
        await again.close()
