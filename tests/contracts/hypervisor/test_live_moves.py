"""Machines move to another node while they run."""

from __future__ import annotations

import asyncio

import pytest

from cumulet.contracts.machines import MachineFacts, MachineSpec, Power
from cumulet.contracts.moves import Arrival, Departure, Stage
from tests.contracts.hypervisor.asked import as_ordered, change
from tests.support.hypervisors.worlds import Door, World, machine, with_volume
from tests.support.patience import HANG_SECONDS

SECRET = "5e" * 32


async def at(door: Door, spec: MachineSpec, stage: Stage) -> MachineFacts:
    """The facts when a live move has come so far."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            facts = await door.ensure(spec)
            assert facts.digest == ""
            assert facts.move is not None, facts.fault
            if facts.move.stage is stage:
                return facts
            assert facts.fault is None, facts.fault
            await asyncio.sleep(0.02)


def ways(spec: MachineSpec, move: str = "first", **more: bool) -> tuple[MachineSpec, MachineSpec]:
    """The orders for a machine's old node and its new one."""
    leaves = Departure(move=move, address="there", memory_pass=spec.id, disks_pass=spec.id, secret=SECRET, **more)
    arrives = Arrival(move=move, source="here", live=True, secret=SECRET)
    return change(spec, departure=leaves), change(spec, arrival=arrives)


async def test_a_machine_moves_while_it_runs(world: World) -> None:
    door, spec = await world.open(), machine(world)
    started = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    leaving, arriving = ways(spec)
    other = await world.cross()
    await at(other, arriving, Stage.READY)
    await at(door, leaving, Stage.LEFT)
    there = await at(other, arriving, Stage.ARRIVED)
    assert there.power is Power.PAUSED
    here = await as_ordered(other, spec)
    assert here.started_at == started.started_at
    await door.remove(spec.id)
    assert not await door.found()
    await as_ordered(other, change(spec, hard_reboots=1))


async def test_what_has_left_may_stay_all_the_same(world: World) -> None:
    door, spec = await world.open(), machine(world)
    started = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    leaving, arriving = ways(spec)
    other = await world.cross()
    await at(other, arriving, Stage.READY)
    await at(door, leaving, Stage.LEFT)
    await other.remove(spec.id)
    assert await as_ordered(door, spec) == started
    again_leaving, again_arriving = ways(spec, "second")
    await at(other, again_arriving, Stage.READY)
    await at(door, again_leaving, Stage.LEFT)
    await at(other, again_arriving, Stage.ARRIVED)
    assert await as_ordered(other, spec) == started


async def test_a_machine_that_cannot_leave_runs_on(world: World) -> None:
    door, spec = await world.open(), machine(world)
    started = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    leaving, arriving = ways(spec)
    wire = world.wire
    other = await world.cross()
    await at(other, arriving, Stage.READY)
    wire.carries = 0
    failed = await at(door, leaving, Stage.FAILED)
    assert failed.fault is not None
    assert failed.power is Power.RUNNING
    await other.remove(spec.id)
    assert await as_ordered(door, spec) == started


async def test_a_paused_machine_moves_and_is_paused(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    paused = change(spec, wanted=Power.PAUSED)
    await as_ordered(door, paused)
    leaving, arriving = ways(paused)
    other = await world.cross()
    await at(other, arriving, Stage.READY)
    await at(door, leaving, Stage.LEFT)
    await at(other, arriving, Stage.ARRIVED)
    await as_ordered(other, paused)
    await as_ordered(other, spec)


@pytest.mark.parametrize("far", [False, True])
async def test_a_machine_with_a_volume_and_a_port_moves_with_both(world: World, far: bool) -> None:
    door, volume = await world.open(), await world.far_volume() if far else world.volume()
    spec = change(with_volume(machine(world), volume), nics=(world.port(),))
    before = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    leaving, arriving = ways(spec)
    other = await world.cross()
    await at(other, arriving, Stage.READY)
    await at(door, leaving, Stage.LEFT)
    await at(other, arriving, Stage.ARRIVED)
    await door.remove(spec.id)
    assert await as_ordered(other, spec) == before
    assert world.ways(spec.id) == int(far)
