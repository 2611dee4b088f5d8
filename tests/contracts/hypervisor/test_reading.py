"""What is asked of machines: their consoles, disks, figures and passwords."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from cumulet.contracts.machines import Power
from cumulet.drivers.hypervisor.base import MachineFailed, Unfit
from tests.contracts.hypervisor.asked import as_ordered, change, found
from tests.support.hypervisors.worlds import World, machine


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
