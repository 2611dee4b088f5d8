"""Machines that end by themselves or are removed, and what goes on without them."""

from __future__ import annotations

import asyncio
import uuid

from cumulet.contracts.machines import Power
from cumulet.contracts.record import digest_of
from tests.contracts.hypervisor.asked import as_ordered, change, found
from tests.support.hypervisors.worlds import World, machine, with_volume
from tests.support.patience import HANG_SECONDS


async def test_a_machine_that_dies_is_noticed_and_can_be_started_again(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    news = asyncio.ensure_future(door.changed())
    await asyncio.sleep(0)
    world.kill(spec.id)
    assert await asyncio.wait_for(news, HANG_SECONDS) == spec.id
    facts = await found(door, spec.id)
    assert facts is not None
    assert facts.power is Power.CRASHED
    assert facts.fault is not None
    assert facts.digest == ""
    await as_ordered(door, spec)
    await world.boots(spec.id, 2)


async def test_a_guest_that_turns_itself_off_is_noticed(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    news = asyncio.ensure_future(door.changed())
    await asyncio.sleep(0)
    world.turn_off_inside(spec.id)
    assert await asyncio.wait_for(news, HANG_SECONDS) == spec.id
    facts = await found(door, spec.id)
    assert facts is not None
    assert (facts.power, facts.fault, facts.digest) == (Power.STOPPED, None, "")
    await as_ordered(door, change(spec, wanted=Power.STOPPED))
    assert not world.has_process(spec.id)
    await as_ordered(door, spec)
    await world.boots(spec.id, 2)


async def test_ordered_changes_are_no_news(world: World) -> None:
    door, spec = await world.open(), machine(world)
    news = asyncio.ensure_future(door.changed())
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    await as_ordered(door, change(spec, soft_reboots=1))
    await as_ordered(door, change(spec, soft_reboots=1, wanted=Power.SUSPENDED))
    await as_ordered(door, change(spec, soft_reboots=1, wanted=Power.STOPPED))
    await asyncio.sleep(0)
    assert not news.done()
    news.cancel()


async def test_machines_outlive_the_process_that_made_them(world: World) -> None:
    spec, other = machine(world), machine(world)
    door = await world.open()
    started = await as_ordered(door, spec)
    await as_ordered(door, change(other, wanted=Power.PAUSED))
    await world.boots(spec.id, 1)
    later = await world.open()
    assert {facts.id: facts.power for facts in await later.found()} == {
        spec.id: Power.RUNNING,
        other.id: Power.PAUSED,
    }
    assert await as_ordered(later, spec) == started
    news = asyncio.ensure_future(later.changed())
    await asyncio.sleep(0)
    world.kill(other.id)
    assert await asyncio.wait_for(news, HANG_SECONDS) == other.id
    await as_ordered(later, change(spec, wanted=Power.STOPPED))
    assert not world.has_process(spec.id)


async def test_a_removed_machine_is_gone(world: World) -> None:
    door, spec, port = await world.open(), machine(world), world.port()
    volume = world.volume()
    spec = change(with_volume(spec, volume), nics=(port,))
    await as_ordered(door, spec)
    await door.remove(spec.id)
    assert await found(door, spec.id) is None
    assert await door.console_log(spec.id, 1000) == b""
    await door.remove(spec.id)
    await door.remove(str(uuid.uuid4()))
    # The volume and the port are free, and in order.
    another = change(with_volume(machine(world), volume), nics=(port,))
    await as_ordered(door, another)
    await world.boots(another.id, 1)


async def test_a_removal_does_not_wait_for_the_guest(world: World) -> None:
    door, spec = await world.open(), machine(world, shutdown_seconds=300)
    spec = change(spec, disks=(change(spec.disks[0], image=world.image(deaf=True)),))
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    stopping = asyncio.ensure_future(door.ensure(change(spec, wanted=Power.STOPPED)))
    await asyncio.sleep(0.05)
    await asyncio.wait_for(door.remove(spec.id), HANG_SECONDS)
    await asyncio.wait_for(stopping, HANG_SECONDS)
    assert await found(door, spec.id) is None


async def test_machines_do_not_wait_for_each_other(world: World) -> None:
    door = await world.open()
    specs = [machine(world) for _ in range(4)]
    for facts, spec in zip(await asyncio.gather(*(door.ensure(spec) for spec in specs)), specs, strict=True):
        assert facts.digest == digest_of(spec)
    for spec in specs:
        await world.boots(spec.id, 1)
