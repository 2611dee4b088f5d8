"""Volumes and ports of machines come and go."""

from __future__ import annotations

from cumulet.contracts.machines import Power
from tests.contracts.hypervisor.asked import as_ordered, change
from tests.support.hypervisors.worlds import World, machine, with_volume


async def test_volumes_and_ports_come_and_go_while_it_runs(world: World) -> None:
    door, spec, port = await world.open(), machine(world), world.port()
    started = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    volume = world.volume()
    fuller = change(with_volume(spec, volume), nics=(port,))
    facts = await as_ordered(door, fuller)
    assert facts.disks == ("root", volume.volume_id)
    assert facts.nics == (port.port_id,)
    assert await as_ordered(door, fuller) == facts
    emptier = await as_ordered(door, spec)
    assert (emptier.disks, emptier.nics) == (("root",), ())
    again = await as_ordered(door, fuller)
    assert again == facts
    assert again.started_at == started.started_at
    await world.boots(spec.id, 1)


async def test_volumes_of_the_network_come_and_go_while_it_runs(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    first, second = await world.far_volume(), await world.far_volume()
    one = with_volume(spec, first)
    facts = await as_ordered(door, one)
    assert facts.disks == ("root", first.volume_id)
    assert world.ways(spec.id) == 1
    door = await world.open()
    assert await as_ordered(door, one) == facts
    both = with_volume(one, second, device="vdc")
    await as_ordered(door, both)
    assert world.ways(spec.id) == 2
    await as_ordered(door, with_volume(spec, second, device="vdc"))
    assert world.ways(spec.id) == 1
    await as_ordered(door, change(both, wanted=Power.SUSPENDED))
    assert world.ways(spec.id) == 0
    await as_ordered(door, both)
    assert world.ways(spec.id) == 2
    await world.boots(spec.id, 1)
    await as_ordered(door, change(both, wanted=Power.STOPPED))
    assert world.ways(spec.id) == 0
    await as_ordered(door, both)
    await world.boots(spec.id, 2)
    await door.remove(spec.id)
    assert world.ways(spec.id) == 0


async def test_a_volume_of_the_network_that_is_not_there_is_named(world: World) -> None:
    door, spec = await world.open(), machine(world)
    volume = await world.far_volume()
    await world.lose(volume)
    unable = await door.ensure(with_volume(spec, volume))
    assert unable.fault is not None
    assert volume.volume_id in unable.fault.message
    assert (unable.power, unable.digest) == (Power.STOPPED, "")
    started = await as_ordered(door, spec)
    late = await door.ensure(with_volume(spec, volume))
    assert late.fault is not None
    assert volume.volume_id in late.fault.message
    assert (late.power, late.disks, late.digest) == (Power.RUNNING, ("root",), "")
    assert await as_ordered(door, spec) == started
    assert world.ways(spec.id) == 0


async def test_what_is_connected_survives_suspending(world: World) -> None:
    door, spec, port = await world.open(), machine(world), world.port()
    first, second = world.volume(), world.volume()
    await as_ordered(door, with_volume(change(spec, nics=(port,)), first))
    await world.boots(spec.id, 1)
    both = change(with_volume(with_volume(spec, first), second), nics=(port,))
    await as_ordered(door, both)
    facts = await as_ordered(door, change(both, wanted=Power.SUSPENDED))
    assert facts.disks == ("root", first.volume_id, second.volume_id)
    facts = await as_ordered(door, with_volume(spec, second))
    assert (facts.disks, facts.nics) == (("root", second.volume_id), ())
    await world.boots(spec.id, 1)


async def test_what_is_ordered_while_it_is_off_is_there_when_it_starts(world: World) -> None:
    door, spec, port = await world.open(), machine(world, wanted=Power.STOPPED), world.port()
    await as_ordered(door, spec)
    volume = world.volume()
    more = change(with_volume(spec, volume), nics=(port,), vcpus=2, memory_mib=64)
    assert (await as_ordered(door, more)).disks == ("root", volume.volume_id)
    facts = await as_ordered(door, change(more, wanted=Power.RUNNING))
    assert (facts.disks, facts.nics) == (("root", volume.volume_id), (port.port_id,))
    await world.boots(spec.id, 1)
