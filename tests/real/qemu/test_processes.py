"""The processes of machines: found, restarted, killed, and never two of one."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from cumulet.contracts.machines import Power
from cumulet.lib import process
from tests.real.qemu.asked import as_ordered, change, folder, running
from tests.support.hypervisors.doors import GUEST_USER
from tests.support.hypervisors.qemu import QemuWorld
from tests.support.hypervisors.worlds import machine, with_volume
from tests.support.mortal_node import kill_while_it_works

pytestmark = pytest.mark.root


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
