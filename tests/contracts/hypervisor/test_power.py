"""Machines are on, off, paused, suspended, begun anew or rescued, as they are ordered."""

from __future__ import annotations

import pytest

from cumulet.contracts.machines import Power
from tests.contracts.hypervisor.asked import as_ordered, change, found
from tests.support.hypervisors.worlds import World, machine


async def test_a_machine_runs_once_however_often_it_is_ordered(world: World) -> None:
    door, spec = await world.open(), machine(world)
    first = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    assert await as_ordered(door, spec) == first
    assert await found(door, spec.id) == first
    await world.boots(spec.id, 1)
    assert first.disks == ("root",)
    assert first.started_at > 0


async def test_pausing_and_going_on(world: World) -> None:
    door, spec = await world.open(), machine(world)
    started = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await as_ordered(door, change(spec, wanted=Power.PAUSED))
    assert await as_ordered(door, spec) == started
    await world.boots(spec.id, 1)


async def test_a_machine_may_begin_paused(world: World) -> None:
    door, spec = await world.open(), machine(world, wanted=Power.PAUSED)
    await as_ordered(door, spec)
    await as_ordered(door, change(spec, wanted=Power.RUNNING))
    await world.boots(spec.id, 1)


async def test_stopping_and_starting_again(world: World) -> None:
    door, spec = await world.open(), machine(world)
    started = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await as_ordered(door, change(spec, wanted=Power.STOPPED))
    assert not world.has_process(spec.id)
    again = await as_ordered(door, spec)
    assert again.started_at > started.started_at
    await world.boots(spec.id, 2)


async def test_a_guest_that_does_not_obey_is_turned_off(world: World) -> None:
    door, spec = await world.open(), machine(world, shutdown_seconds=1)
    deaf = change(spec.disks[0], image=world.image(deaf=True))
    spec = change(spec, disks=(deaf,))
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await as_ordered(door, change(spec, wanted=Power.STOPPED))
    assert not world.has_process(spec.id)


async def test_a_machine_that_was_never_on_is_made_and_left_off(world: World) -> None:
    door, spec = await world.open(), machine(world, wanted=Power.STOPPED)
    facts = await as_ordered(door, spec)
    assert facts.started_at == 0
    assert not world.has_process(spec.id)


async def test_suspending_and_resuming(world: World) -> None:
    door, spec = await world.open(), machine(world)
    started = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    suspended = change(spec, wanted=Power.SUSPENDED)
    await as_ordered(door, suspended)
    assert not world.has_process(spec.id)
    await as_ordered(door, suspended)
    assert await as_ordered(door, spec) == started
    await world.boots(spec.id, 1)


async def test_a_suspended_machine_may_be_turned_off(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await as_ordered(door, change(spec, wanted=Power.SUSPENDED))
    await as_ordered(door, change(spec, wanted=Power.STOPPED))
    await as_ordered(door, spec)
    await world.boots(spec.id, 2)


@pytest.mark.parametrize("verb", ["hard_reboots", "soft_reboots"])
async def test_reboots_are_counted(world: World, verb: str) -> None:
    door, spec = await world.open(), machine(world)
    started = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    spec = change(spec, **{verb: 2})
    rebooted = await as_ordered(door, spec)
    assert getattr(rebooted, verb) == 2
    assert rebooted.started_at > started.started_at
    await world.boots(spec.id, 2)
    assert await as_ordered(door, spec) == rebooted


async def test_a_hard_reboot_discards_saved_memory(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await as_ordered(door, change(spec, wanted=Power.SUSPENDED))
    await as_ordered(door, change(spec, hard_reboots=1))
    await world.boots(spec.id, 2)


async def test_verbs_for_a_machine_that_is_off_are_met_by_its_being_off(world: World) -> None:
    door, spec = await world.open(), machine(world, wanted=Power.STOPPED)
    await as_ordered(door, spec)
    facts = await as_ordered(door, change(spec, hard_reboots=3, soft_reboots=2, interrupts=1))
    assert (facts.hard_reboots, facts.soft_reboots, facts.interrupts) == (3, 2, 1)
    assert not world.has_process(spec.id)


async def test_a_new_machine_has_met_all_that_was_counted_before(world: World) -> None:
    door, spec = await world.open(), machine(world, hard_reboots=3, soft_reboots=2, rebuilds=1, interrupts=4)
    facts = await as_ordered(door, spec)
    assert (facts.hard_reboots, facts.soft_reboots, facts.rebuilds, facts.interrupts) == (3, 2, 1, 4)
    await world.boots(spec.id, 1)


async def test_a_rebuilt_machine_starts_anew(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    spec = change(spec, rebuilds=1)
    rebuilt = await as_ordered(door, spec)
    assert rebuilt.rebuilds == 1
    await world.boots(spec.id, 2)
    assert await as_ordered(door, spec) == rebuilt


async def test_rescue_and_back(world: World) -> None:
    door, spec = await world.open(), machine(world)
    assert not (await as_ordered(door, spec)).rescued
    await world.boots(spec.id, 1)
    rescue = change(spec, rescue=world.image("rescue"))
    rescued = await as_ordered(door, rescue)
    assert rescued.rescued
    await world.boots(spec.id, 2)
    assert await as_ordered(door, rescue) == rescued
    assert not (await as_ordered(door, spec)).rescued
    await world.boots(spec.id, 3)
