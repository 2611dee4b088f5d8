"""What every hypervisor promises of a volume that is to be elsewhere while its machine runs."""

from __future__ import annotations

import asyncio

import pytest

from cumulet.contracts.machines import MachineFacts, MachineSpec, Power, VolumeConnection
from cumulet.contracts.record import digest_of
from tests.contracts.hypervisor.asked import as_ordered, change, found
from tests.support.hypervisors.worlds import Door, World, machine, with_volume
from tests.support.patience import HANG_SECONDS


async def a_volume(world: World, *, far: bool) -> VolumeConnection:
    return await world.far_volume() if far else world.volume()


def at(spec: MachineSpec, volume: VolumeConnection, goes_to: VolumeConnection | None = None) -> MachineSpec:
    """The order with its volume here, and on its way to there."""
    root = next(disk for disk in spec.disks if disk.volume is None)
    return with_volume(change(spec, disks=(root,)), volume, goes_to=goes_to)


async def told(door: Door, spec: MachineSpec) -> MachineFacts:
    """The first report by which its volume is there, or will not be."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            facts = await found(door, spec.id)
            assert facts is not None
            if any(mirror.there or mirror.fault for mirror in facts.mirrors):
                return facts
            await door.changed()


@pytest.mark.parametrize(("from_far", "to_far"), [(False, False), (False, True), (True, False), (True, True)])
async def test_a_volume_goes_elsewhere_and_its_machine_runs_on(world: World, from_far: bool, to_far: bool) -> None:
    door, spec = await world.open(), machine(world)
    source = await a_volume(world, far=from_far)
    there = await world.elsewhere(source, far=to_far)
    started = await as_ordered(door, at(spec, source))
    await world.boots(spec.id, 1)
    moving = at(spec, source, there)
    assert (await as_ordered(door, moving)).started_at == started.started_at
    facts = await told(door, moving)
    [mirror] = facts.mirrors
    assert (mirror.disk, mirror.target, mirror.there) == (source.volume_id, digest_of(there), True)
    assert facts.digest == digest_of(moving)
    assert world.ways(spec.id) == to_far
    await world.lose(source)
    facts = await as_ordered(door, at(spec, there))
    assert facts.mirrors == ()
    assert facts.started_at == started.started_at
    await world.boots(spec.id, 1)
    await as_ordered(door, change(at(spec, there), hard_reboots=1))
    assert world.ways(spec.id) == to_far
    await world.boots(spec.id, 2)
    await as_ordered(door, spec)
    assert world.ways(spec.id) == 0


@pytest.mark.parametrize("order", ["that it should go there", "that it should stay"])
async def test_what_went_is_not_brought_back_by_an_order_from_before(world: World, order: str) -> None:
    door, spec = await world.open(), machine(world)
    source = world.volume()
    there = await world.elsewhere(source, far=True)
    await as_ordered(door, at(spec, source))
    await as_ordered(door, at(spec, source, there))
    before = await told(door, spec)
    old = at(spec, source, there if order == "that it should go there" else None)
    door = await world.open()
    facts = await as_ordered(door, old)
    assert facts.mirrors == before.mirrors
    off = await as_ordered(door, change(old, wanted=Power.STOPPED))
    assert off.mirrors == before.mirrors
    facts = await as_ordered(door, old)
    assert facts.mirrors == before.mirrors
    assert world.ways(spec.id) == 1
    await as_ordered(door, at(spec, there))
    assert await as_ordered(door, change(at(spec, there), wanted=Power.SUSPENDED))
    assert (await as_ordered(door, at(spec, there))).mirrors == ()
    assert world.ways(spec.id) == 1


async def test_a_volume_may_go_on_to_a_third_place_and_back(world: World) -> None:
    door, spec = await world.open(), machine(world)
    first = world.volume()
    second = await world.elsewhere(first, far=True)
    await as_ordered(door, at(spec, first))
    for here, there in ((first, second), (second, first)):
        await as_ordered(door, at(spec, here, there))
        [mirror] = (await told(door, spec)).mirrors
        assert mirror.there
        facts = await as_ordered(door, at(spec, there))
        assert facts.mirrors == ()
    await world.boots(spec.id, 1)
    assert world.ways(spec.id) == 0


async def test_what_cannot_go_there_stays_and_is_named(world: World) -> None:
    door, spec = await world.open(), machine(world)
    source = world.volume()
    there = await world.elsewhere(source, far=True)
    await world.lose(there)
    await as_ordered(door, at(spec, source))
    facts = await as_ordered(door, at(spec, source, there))
    [mirror] = facts.mirrors
    assert source.volume_id in mirror.fault
    assert not mirror.there
    assert world.ways(spec.id) == 0
    door = await world.open()
    assert (await as_ordered(door, at(spec, source, there))).mirrors == facts.mirrors
    assert (await as_ordered(door, at(spec, source))).mirrors == ()
    await world.boots(spec.id, 1)


@pytest.mark.parametrize("wanted", [Power.RUNNING, Power.PAUSED, Power.STOPPED, Power.SUSPENDED])
async def test_a_way_that_is_called_off_ends_in_one_of_both_places(world: World, wanted: Power) -> None:
    door, spec = await world.open(), machine(world)
    source = world.volume()
    there = await world.elsewhere(source, far=True)
    await as_ordered(door, at(spec, source))
    await as_ordered(door, at(spec, source, there))
    facts = await as_ordered(door, change(at(spec, source), wanted=wanted))
    went = bool(facts.mirrors)
    assert all(mirror.there for mirror in facts.mirrors)
    again = await as_ordered(door, at(spec, source))
    assert again.mirrors == facts.mirrors
    assert world.ways(spec.id) == went


@pytest.mark.parametrize("wanted", [Power.STOPPED, Power.SUSPENDED])
async def test_under_a_machine_that_is_off_nothing_goes(world: World, wanted: Power) -> None:
    door, spec = await world.open(), machine(world)
    source = world.volume()
    there = await world.elsewhere(source, far=True)
    await as_ordered(door, at(spec, source))
    assert (await as_ordered(door, change(at(spec, source, there), wanted=wanted))).mirrors == ()
    assert world.ways(spec.id) == 0
    await as_ordered(door, at(spec, source, there))
    [mirror] = (await told(door, spec)).mirrors
    assert mirror.there
