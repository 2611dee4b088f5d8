"""Machines that are off move to another node with their disks."""

from __future__ import annotations

import pytest

from cumulet.contracts.machines import MachineSpec, Power
from cumulet.contracts.moves import Arrival
from cumulet.drivers.hypervisor.base import MachineFailed
from tests.contracts.hypervisor.asked import as_ordered, change
from tests.support.hypervisors.worlds import Door, Wire, World, machine

ARRIVAL = Arrival(move="first", source="here")


async def test_a_machine_that_is_off_moves_with_its_disks(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await as_ordered(door, change(spec, wanted=Power.STOPPED))
    other = await world.cross()
    arriving = change(spec, wanted=Power.STOPPED, arrival=ARRIVAL)
    await as_ordered(other, arriving)
    assert not world.has_process(spec.id)
    await door.remove(spec.id)
    await as_ordered(other, change(arriving, wanted=Power.RUNNING))
    await world.boots(spec.id, 1)
    await as_ordered(other, spec)
    await world.boots(spec.id, 1)


async def test_a_machine_that_runs_gives_nothing_away(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    written = [file.name for file in (await door.luggage(spec.id)).files if not file.name.endswith(".base")]
    with pytest.raises(MachineFailed, match="only while it is off"):
        async with door.luggage_file(spec.id, written[0], 0):
            pass
    await stopped(door, spec)
    async with door.luggage_file(spec.id, written[0], 0) as parcel:
        assert parcel.size > 0


async def stopped(door: Door, spec: MachineSpec) -> Door:
    await as_ordered(door, change(spec, wanted=Power.STOPPED))
    return door


async def test_disks_are_fetched_again_until_all_of_them_came(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await stopped(door, spec)
    wire = Wire(carries=0)
    other = await world.cross(wire)
    arriving = change(spec, arrival=ARRIVAL)
    for _ in range(2):
        facts = await other.ensure(arriving)
        assert facts.fault is not None
        assert facts.fault.code == 500
        assert facts.digest == ""
        assert not world.has_process(spec.id)
    wire.carries = 1 << 40
    await as_ordered(other, arriving)
    await world.boots(spec.id, 1)


async def test_what_a_machine_left_on_a_node_is_not_what_it_comes_back_to(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await stopped(door, spec)
    other = await world.cross()
    await as_ordered(other, change(spec, arrival=ARRIVAL))
    await world.boots(spec.id, 1)
    await stopped(other, spec)
    # Its first node never heard that it was to let go of it.
    back = await world.cross()
    await as_ordered(back, change(spec, wanted=Power.STOPPED))
    await as_ordered(back, change(spec, arrival=change(ARRIVAL, move="second")))
    await world.boots(spec.id, 1)
