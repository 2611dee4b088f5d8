"""What every hypervisor promises, the pretended one and the real one."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from cumulet.contracts.machines import MachineFacts, MachineSpec, Power
from cumulet.contracts.moves import Arrival, Departure, Stage
from cumulet.contracts.record import digest_of
from cumulet.drivers.hypervisor.base import MachineFailed, Unfit
from tests.support import hypervisors
from tests.support.hypervisors import Door, FakeWorld, QemuWorld, Wire, World, machine, with_volume
from tests.support.patience import HANG_SECONDS

change = msgspec.structs.replace


@pytest.fixture(params=["fake", pytest.param("qemu", marks=pytest.mark.root)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    made: World = FakeWorld() if request.param == "fake" else QemuWorld(await hypervisors.tcg())
    yield made
    await made.close()


async def as_ordered(door: Door, spec: MachineSpec) -> MachineFacts:
    facts = await door.ensure(spec)
    assert facts.fault is None
    assert facts.digest == digest_of(spec)
    assert facts.power is spec.wanted
    return facts


async def found(door: Door, machine_id: str) -> MachineFacts | None:
    return next((facts for facts in await door.found() if facts.id == machine_id), None)


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


async def test_the_console_is_read_from_its_end(world: World) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    whole = await door.console_log(spec.id, 1 << 20)
    assert whole
    assert await door.console_log(spec.id, 5) == whole[-5:]


@pytest.mark.parametrize("wanted", [Power.RUNNING, Power.STOPPED, Power.SUSPENDED])
async def test_a_disk_is_copied(world: World, wanted: Power, tmp_path: Path) -> None:
    door, spec = await world.open(), machine(world)
    facts = await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    spec = change(spec, wanted=wanted)
    await as_ordered(door, spec)
    target = tmp_path / "copy.qcow2"
    size = await door.snapshot(spec.id, "root", "qcow2", str(target))
    assert size == target.stat().st_size
    assert target.read_bytes()[:4] == b"QFI\xfb"
    again = await found(door, spec.id)
    assert again is not None
    assert (again.power, again.started_at) == (wanted, facts.started_at)


async def test_a_copy_that_cannot_be(world: World, tmp_path: Path) -> None:
    door, spec = await world.open(), machine(world)
    await as_ordered(door, spec)
    target = str(tmp_path / "copy")
    with pytest.raises(Unfit):
        await door.snapshot(spec.id, "root", "papyrus", target)
    with pytest.raises(Unfit):
        await door.snapshot(spec.id, "vdz", "qcow2", target)
    with pytest.raises(MachineFailed):
        await door.snapshot(str(uuid.uuid4()), "root", "qcow2", target)


async def test_diagnostics(world: World) -> None:
    door, spec, port = await world.open(), machine(world), world.port()
    spec = change(spec, nics=(port,), vcpus=2)
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    found = await door.diagnostics(spec.id)
    assert {name: found[name] for name in ("state", "num_cpus", "num_nics", "num_disks", "config_drive")} == {
        "state": "running",
        "num_cpus": 2,
        "num_nics": 1,
        "num_disks": 1,
        "config_drive": False,
    }
    lists = {name: found[f"{name}_details"] for name in ("cpu", "nic", "disk")}
    shapes = {name: set(rows[0]) for name, rows in lists.items() if isinstance(rows, list)}
    assert shapes == {
        "cpu": {"id", "time", "utilisation"},
        "nic": {"mac_address"}
        | {f"{way}_{what}" for way in ("rx", "tx") for what in ("octets", "packets", "errors", "drop", "rate")},
        "disk": {"read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count"},
    }
    assert found["memory_details"] == {"maximum": 32, "used": 32}
    await as_ordered(door, change(spec, wanted=Power.STOPPED))
    off = await door.diagnostics(spec.id)
    assert (off["state"], off["num_cpus"], off["cpu_details"]) == ("shutdown", 0, [])
    assert set(off) == set(found)


async def test_a_password_is_changed_by_an_agent_of_the_guest_or_not_at_all(world: World) -> None:
    door, spec = await world.open(), machine(world)
    with pytest.raises(MachineFailed):
        await door.set_password(spec.id, "root", "secret")
    await as_ordered(door, spec)
    await world.boots(spec.id, 1)
    with pytest.raises(MachineFailed, match="no way to an agent"):
        await door.set_password(spec.id, "root", "secret")
    await as_ordered(door, change(spec, guest_agent=True))
    with pytest.raises(MachineFailed, match="next start"):
        await door.set_password(spec.id, "root", "secret")
    await as_ordered(door, change(spec, wanted=Power.STOPPED, guest_agent=True))
    with pytest.raises(MachineFailed, match="is off"):
        await door.set_password(spec.id, "root", "secret")


@pytest.mark.parametrize("machine_id", ["", "../etc", "a" * 36, "11111111-1111-4111-8111-11111111111G"])
async def test_an_id_is_never_a_path(world: World, machine_id: str) -> None:
    door = await world.open()
    with pytest.raises(ValueError, match="is no id"):
        await door.ensure(machine(world, id=machine_id))


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


# ---- live moves ------------------------------------------------------------------------------------------------------

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
