"""What to do next to a machine follows from its order, its journal and what is seen; and it always comes to an end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.contracts.machines import (
    DiskSpec,
    GuestData,
    ImageRef,
    MachineSpec,
    NicSpec,
    Power,
    VolumeConnection,
)
from cumulet.drivers.hypervisor.qemu.journal import Journal
from cumulet.drivers.hypervisor.qemu.steps import Act, Seen, Step, facts_of, next_step, power_of, rescue_of

change = msgspec.structs.replace
RESCUE = ImageRef(id="r", sha512="rescue", disk_format="qcow2", size=1)
VOLUME = DiskSpec(id="volume", device="vdb", volume=VolumeConnection(volume_id="volume"), size_gib=1)
PORT = NicSpec(port_id="port", network_id="network", mac="fa:16:3e:00:00:01")
SPEC = MachineSpec(
    id="m",
    wanted=Power.RUNNING,
    vcpus=1,
    memory_mib=64,
    disks=(DiskSpec(id="root", device="vda", size_gib=1),),
    nics=(),
    guest=GuestData(hostname="h", name="n", project_id="p"),
)
OFF, ON, PAUSED, SAVED = Seen(None), Seen("running"), Seen("paused"), Seen(None, saved=True)


def journal(**changes: Any) -> Journal:
    return Journal(**{"spec": SPEC, "running": SPEC, "power": Power.RUNNING, **changes})


@pytest.mark.parametrize(
    ("order", "before", "seen", "act"),
    [
        ({}, {}, ON, None),
        ({}, {}, OFF, Act.START),
        ({}, {}, PAUSED, Act.CONTINUE),
        ({}, {}, Seen("io-error"), Act.CONTINUE),
        ({}, {}, Seen("suspended"), None),
        ({}, {}, SAVED, Act.RESTORE),
        ({}, {}, Seen("running", saved=True), Act.FORGET_MEMORY),
        ({}, {}, Seen("shutdown"), Act.CUT_POWER),
        ({}, {}, Seen("internal-error"), Act.CUT_POWER),
        ({"wanted": Power.PAUSED}, {}, ON, Act.PAUSE),
        ({"wanted": Power.PAUSED}, {}, PAUSED, None),
        ({"wanted": Power.PAUSED}, {}, OFF, Act.START),
        ({"wanted": Power.STOPPED}, {}, ON, Act.SHUT_DOWN),
        ({"wanted": Power.STOPPED}, {}, PAUSED, Act.SHUT_DOWN),
        ({"wanted": Power.STOPPED}, {}, Seen("shutdown"), Act.CUT_POWER),
        ({"wanted": Power.STOPPED}, {}, OFF, None),
        ({"wanted": Power.STOPPED}, {}, SAVED, Act.FORGET_MEMORY),
        ({"wanted": Power.STOPPED, "hard_reboots": 1}, {}, OFF, None),
        ({"wanted": Power.SUSPENDED}, {}, ON, Act.SAVE),
        ({"wanted": Power.SUSPENDED}, {}, PAUSED, Act.SAVE),
        ({"wanted": Power.SUSPENDED}, {}, Seen("postmigrate", saved=True), Act.CUT_POWER),
        ({"wanted": Power.SUSPENDED}, {}, Seen("running", saved=True), Act.SAVE),
        ({"wanted": Power.SUSPENDED}, {}, SAVED, None),
        ({"wanted": Power.SUSPENDED}, {}, OFF, Act.START),
        ({"hard_reboots": 1}, {}, ON, Act.CUT_POWER),
        ({"hard_reboots": 1}, {}, SAVED, Act.FORGET_MEMORY),
        ({"hard_reboots": 1}, {}, OFF, Act.START),
        ({"hard_reboots": 1}, {"hard_reboots": 1}, ON, None),
        ({"hard_reboots": 1}, {"hard_reboots": 2}, ON, None),
        ({"soft_reboots": 1}, {}, ON, Act.SHUT_DOWN),
        ({"soft_reboots": 1}, {}, SAVED, Act.RESTORE),
        ({"rebuilds": 1}, {}, ON, Act.CUT_POWER),
        ({"rebuilds": 1}, {}, SAVED, Act.FORGET_MEMORY),
        ({"rebuilds": 1}, {}, OFF, Act.REMAKE_DISKS),
        ({"rescue": RESCUE}, {}, ON, Act.CUT_POWER),
        ({"rescue": RESCUE}, {}, OFF, Act.SWITCH_RESCUE),
        ({"rescue": RESCUE}, {"rescue": "rescue"}, ON, None),
        ({}, {"rescue": "rescue"}, ON, Act.CUT_POWER),
        ({"interrupts": 1}, {}, ON, Act.INTERRUPT),
        ({"interrupts": 1}, {}, OFF, Act.START),
    ],
)
def test_one_step(order: dict[str, Any], before: dict[str, Any], seen: Seen, act: Act | None) -> None:
    step = next_step(change(SPEC, **order), journal(**before), seen)
    assert (step.act if step else None) is act


def test_devices_are_unplugged_before_others_are_plugged() -> None:
    other = change(VOLUME, id="other")
    order = change(SPEC, disks=(*SPEC.disks, other), nics=(PORT,))
    running = change(SPEC, disks=(*SPEC.disks, VOLUME), nics=(change(PORT, port_id="old"),))
    steps = []
    for machine in (
        running,
        change(running, disks=SPEC.disks),
        change(running, disks=SPEC.disks, nics=()),
        change(running, disks=order.disks, nics=()),
        order,
    ):
        steps.append(next_step(order, journal(running=machine), ON))
    assert steps == [
        Step(Act.UNPLUG_DISK, "volume"),
        Step(Act.UNPLUG_NIC, "old"),
        Step(Act.PLUG_DISK, "other"),
        Step(Act.PLUG_NIC, "port"),
        None,
    ]


def test_only_volumes_come_and_go_while_it_runs() -> None:
    swap = DiskSpec(id="swap", device="vdb", size_mib=64)
    assert next_step(change(SPEC, disks=(*SPEC.disks, swap), vcpus=4), journal(), ON) is None


def test_a_volume_that_was_extended() -> None:
    running = change(SPEC, disks=(*SPEC.disks, VOLUME))
    order = change(SPEC, disks=(*SPEC.disks, change(VOLUME, size_gib=2)))
    assert next_step(order, journal(running=running), ON) == Step(Act.GROW_DISK, "volume")
    assert next_step(running, journal(running=order), ON) is None


@pytest.mark.parametrize(
    ("before", "seen", "power"),
    [
        ({}, ON, Power.RUNNING),
        ({}, PAUSED, Power.PAUSED),
        ({}, Seen("io-error"), Power.PAUSED),
        ({}, Seen("shutdown"), Power.STOPPED),
        ({}, Seen("internal-error"), Power.CRASHED),
        ({}, SAVED, Power.SUSPENDED),
        ({}, OFF, Power.CRASHED),
        ({}, Seen(None, rebooted_host=True), Power.STOPPED),
        ({"power": Power.STOPPED}, OFF, Power.STOPPED),
    ],
)
def test_what_is_seen_in_words(before: dict[str, Any], seen: Seen, power: Power) -> None:
    assert power_of(journal(**before), seen) is power


def test_facts_name_what_is_connected() -> None:
    running = change(SPEC, disks=(*SPEC.disks, VOLUME), nics=(PORT,))
    assert facts_of(journal(running=running), ON, False).disks == ("root", "volume")
    assert facts_of(journal(running=running), SAVED, False).nics == ("port",)
    assert facts_of(journal(running=running), OFF, False).disks == ("root",)


def carry_out(step: Step, spec: MachineSpec, before: Journal, seen: Seen) -> tuple[Journal, Seen]:
    """What a step does to the world, when it does what its name says."""
    disks = {disk.id: disk for disk in (before.running or spec).disks}
    nics = {nic.port_id: nic for nic in (before.running or spec).nics}
    started = {"running": spec, "hard_reboots": spec.hard_reboots, "soft_reboots": spec.soft_reboots}
    match step.act:
        case Act.CUT_POWER | Act.SHUT_DOWN:
            return before, Seen(None, seen.saved)
        case Act.REMAKE_DISKS:
            return change(before, rebuilds=spec.rebuilds), seen
        case Act.SWITCH_RESCUE:
            return change(before, rescue=rescue_of(spec)), seen
        case Act.START:
            assert seen == OFF
            return change(before, **started), ON if spec.wanted is Power.RUNNING else PAUSED
        case Act.RESTORE:
            assert seen == SAVED
            return before, Seen("paused", saved=True)
        case Act.SAVE:
            return before, SAVED
        case Act.FORGET_MEMORY:
            return before, Seen(seen.status)
        case Act.PAUSE:
            return before, PAUSED
        case Act.CONTINUE:
            return before, ON
        case Act.UNPLUG_DISK:
            del disks[step.target]
        case Act.UNPLUG_NIC:
            del nics[step.target]
        case Act.PLUG_DISK | Act.GROW_DISK:
            disks[step.target] = next(disk for disk in spec.disks if disk.id == step.target)
        case Act.PLUG_NIC:
            nics[step.target] = next(nic for nic in spec.nics if nic.port_id == step.target)
        case Act.INTERRUPT:
            return change(before, interrupts=spec.interrupts), seen
    assert seen.status is not None
    running = change(before.running or spec, disks=tuple(disks.values()), nics=tuple(nics.values()))
    return change(before, running=running), seen


orders = st.builds(
    lambda **fields: change(SPEC, **fields),
    wanted=st.sampled_from([Power.RUNNING, Power.PAUSED, Power.STOPPED, Power.SUSPENDED]),
    disks=st.sampled_from([SPEC.disks, (*SPEC.disks, VOLUME), (*SPEC.disks, change(VOLUME, size_gib=2))]),
    nics=st.sampled_from([(), (PORT,)]),
    rescue=st.sampled_from([None, RESCUE]),
    hard_reboots=st.integers(0, 1),
    soft_reboots=st.integers(0, 1),
    rebuilds=st.integers(0, 1),
    interrupts=st.integers(0, 1),
)
sights = st.builds(
    Seen,
    st.sampled_from([None, "running", "paused", "shutdown", "postmigrate", "io-error", "internal-error", "prelaunch"]),
    st.booleans(),
)


@given(orders, orders, sights)
def test_every_order_is_met_from_anywhere_without_repeating_a_step(
    order: MachineSpec, running: MachineSpec, seen: Seen
) -> None:
    before = journal(running=running)
    taken: list[Step] = []
    while step := next_step(order, before, seen):
        assert step not in taken
        taken.append(step)
        before, seen = carry_out(step, order, before, seen)
    assert power_of(change(before, power=Power.STOPPED), seen) is order.wanted
    assert before.rescue == rescue_of(order)
    assert before.rebuilds == order.rebuilds
