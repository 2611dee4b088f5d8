"""Volumes that go elsewhere under a running machine: QEMU copies one while the guest goes on to write, and then has the
guest write to the copy.

There is one instant at which a volume is no more at its old place: the write of the journal between QEMU's two steps to
the end of a copy. At that time both places hold the same, and what the guest writes waits; so whoever is killed before,
after or at it, the machine goes on, or starts again, where all of its data is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.contracts.machines import DiskSpec, MachineSpec, VolumeConnection
from cumulet.drivers.hypervisor.base import MachineFailed, Unfit
from cumulet.drivers.hypervisor.qemu.block_nodes import close_node, open_node
from cumulet.drivers.hypervisor.qemu.devices import Disk
from cumulet.drivers.hypervisor.qemu.journal import Mirror, Went
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.qemu_img import GIB
from cumulet.drivers.hypervisor.qemu.steps import targets_of
from cumulet.lib.qmp import MonitorLost, Refused

_JOB = "mirror-"
_PAUSE = 0.01
_SECONDS_TO_LOOK_AGAIN = 0.5
_SECONDS_TO_END = 30.0
_FAILURES = (Unfit, MachineFailed, Refused, TimeoutError, OSError)


# ---- orders --------------------------------------------------------------------------------------------------------


def still_true(order: MachineSpec, went: Mapping[str, Went]) -> dict[str, Went]:
    """What the order does not know yet. Pure."""
    said = {disk.id: disk.volume for disk in order.disks}
    return {id: one for id, one in went.items() if said.get(id) == one.source}


def as_it_went(order: MachineSpec, went: Mapping[str, Went]) -> MachineSpec:
    """The order, with these volumes where they are now. Pure."""
    return msgspec.structs.replace(order, disks=tuple(_moved(disk, went.get(disk.id)) for disk in order.disks))


def _moved(disk: DiskSpec, went: Went | None) -> DiskSpec:
    return disk if went is None else msgspec.structs.replace(disk, volume=went.target, goes_to=None)


# ---- the beginning, and the end before the end ---------------------------------------------------------------------


async def begin(machine: Machine, disk_id: str) -> None:
    """Have a volume copied. What keeps it from that is said of the copy; the machine is as ordered all the same."""
    await _note(machine, disk_id, Mirror(target=targets_of(machine.journal.spec)[disk_id]))
    await _copy(machine, disk_id)


async def _copy(machine: Machine, disk_id: str) -> None:
    try:
        await _clear(machine, disk_id)
        mirror = _disk(machine, disk_id, mirror=True)
        await open_node(machine, mirror)
        await machine.ask(
            "blockdev-mirror",
            {
                "job-id": _JOB + disk_id,
                "device": _disk(machine, disk_id).node,
                "target": mirror.node,
                "sync": "full",
                # However fast the guest writes, the copy catches up with it.
                "copy-mode": "write-blocking",
                "auto-finalize": False,
                "auto-dismiss": False,
            },
        )
    except _FAILURES as error:
        await _give_up(machine, disk_id, _words(error))


async def end(machine: Machine, disk_id: str) -> None:
    """Nobody wants the copy any more."""
    await _clear(machine, disk_id)
    await _note(machine, disk_id, None)
    await machine.match_relays()


async def _give_up(machine: Machine, disk_id: str, why: str) -> None:
    await _clear(machine, disk_id)
    mirror = machine.journal.mirrors[disk_id]
    await _note(machine, disk_id, msgspec.structs.replace(mirror, fault=why))
    await machine.match_relays()
    machine.note_change()


async def _clear(machine: Machine, disk_id: str) -> None:
    """Nothing of a copy is left in QEMU."""
    if await machine.find_process() is None:
        return
    if await _status(machine, disk_id) not in ("", "concluded"):
        await machine.ask("block-job-cancel", {"device": _JOB + disk_id, "force": True})
        await _until(machine, disk_id, "concluded", "")
    await _dismiss(machine, disk_id)
    await close_node(machine, _disk(machine, disk_id, mirror=True))


# ---- on its way ----------------------------------------------------------------------------------------------------


def see_to(machine: Machine) -> None:
    """From now on copies that are complete come to their end by themselves."""
    under_way = any(not mirror.fault for mirror in machine.journal.mirrors.values())
    if under_way and (machine.mirroring is None or machine.mirroring.done()):
        machine.mirroring = asyncio.ensure_future(_see_to(machine))


async def _see_to(machine: Machine) -> None:
    while under_way := [id for id, mirror in machine.journal.mirrors.items() if not mirror.fault]:
        with contextlib.suppress(MonitorLost, *_FAILURES):
            async with machine.lock:
                if await machine.find_process() is None:
                    return  # what its next start copies is copied anew
                for disk_id in under_way:
                    await _go_on(machine, disk_id)
        if any(not mirror.fault for mirror in machine.journal.mirrors.values()):
            await asyncio.sleep(_SECONDS_TO_LOOK_AGAIN)


async def _go_on(machine: Machine, disk_id: str) -> None:
    mirror = machine.journal.mirrors.get(disk_id)
    if mirror is None or mirror.fault:
        return
    job = await _job(machine, disk_id)
    if mirror.passed:
        return await leave_source(machine, disk_id)
    match job.get("status", ""):
        case "ready":
            await machine.ask("job-complete", {"id": _JOB + disk_id})
            await _until(machine, disk_id, "pending", "concluded")
            await _go_on(machine, disk_id)
        case "pending":
            await _pass_over(machine, disk_id, mirror.target)
            await leave_source(machine, disk_id)
        case "":
            # Whoever noted it was killed before he had told QEMU: what QEMU knows of stays until it is dismissed.
            await _copy(machine, disk_id)
        case "concluded" | "aborting":
            await _give_up(machine, disk_id, f"The copy broke off: {job.get('error') or 'QEMU does not say why'}.")


async def _pass_over(machine: Machine, disk_id: str, target: VolumeConnection) -> None:
    """The instant. Until the next step of QEMU the guest writes to neither place."""
    journal = machine.journal
    running = journal.running
    assert running is not None
    source = next(disk.volume for disk in running.disks if disk.id == disk_id)
    assert source is not None
    went = {**journal.went, disk_id: Went(source=source, target=target)}
    size = await _size(machine, disk_id)
    there = as_it_went(running, went)
    disks = tuple(msgspec.structs.replace(disk, size_gib=size) if disk.id == disk_id else disk for disk in there.disks)
    await machine.remember(
        spec=as_it_went(journal.spec, went),
        running=msgspec.structs.replace(there, disks=disks),
        went=went,
        mirrors={**journal.mirrors, disk_id: Mirror(target=target, passed=True)},
        crossed=_toggled(journal.crossed, disk_id),
    )


async def leave_source(machine: Machine, disk_id: str) -> None:
    """The guest goes on there, and nothing leads to the old place any more."""
    if await machine.find_process() is None:
        return await _note(machine, disk_id, None)
    if await _status(machine, disk_id) == "pending":
        await machine.ask("job-finalize", {"id": _JOB + disk_id})
        await _until(machine, disk_id, "concluded")
    if error := (await _job(machine, disk_id)).get("error"):
        await _take_back(machine, disk_id)
        return await _give_up(machine, disk_id, f"The machine could not go on at the copy: {error}.")
    await _dismiss(machine, disk_id)
    await close_node(machine, _disk(machine, disk_id, mirror=True))
    await _note(machine, disk_id, None)
    await machine.match_relays()
    machine.note_change()


async def _take_back(machine: Machine, disk_id: str) -> None:
    """QEMU did not do it after all: the guest goes on where it was."""
    journal = machine.journal
    running = journal.running
    assert running is not None
    source, target = journal.went[disk_id].source, journal.went[disk_id].target
    back = {disk_id: Went(source=target, target=source)}
    await machine.remember(
        spec=as_it_went(journal.spec, back),
        running=as_it_went(running, back),
        went={id: went for id, went in journal.went.items() if id != disk_id},
        mirrors={**journal.mirrors, disk_id: Mirror(target=target)},
        crossed=_toggled(journal.crossed, disk_id),
    )


# ---- QEMU's words --------------------------------------------------------------------------------------------------


def _disk(machine: Machine, disk_id: str, *, mirror: bool = False) -> Disk:
    """A disk, or what it is copied to; after it has gone there, what it was copied from."""
    assert machine.journal.running is not None
    spec = next(disk for disk in machine.journal.running.disks if disk.id == disk_id)
    if mirror:
        spec = msgspec.structs.replace(spec, volume=machine.journal.mirrors[disk_id].target)
    return machine.disk(spec, mirror=mirror)


async def _job(machine: Machine, disk_id: str) -> dict[str, Any]:
    jobs = await machine.ask("query-jobs")
    return next((dict(job) for job in jobs if job["id"] == _JOB + disk_id), {})


async def _status(machine: Machine, disk_id: str) -> str:
    return str((await _job(machine, disk_id)).get("status", ""))


async def _size(machine: Machine, disk_id: str) -> int:
    """In GiB. An order may say it from now on, which it need not where a file tells it."""
    node = _disk(machine, disk_id).node
    nodes = await machine.ask("query-named-block-nodes", {"flat": True})
    return next(int(one["image"]["virtual-size"]) // GIB for one in nodes if one.get("node-name") == node)


async def _until(machine: Machine, disk_id: str, *statuses: str) -> None:
    async with asyncio.timeout(_SECONDS_TO_END):
        while True:
            if await _status(machine, disk_id) in statuses:
                return
            await asyncio.sleep(_PAUSE)


async def _dismiss(machine: Machine, disk_id: str) -> None:
    if await _status(machine, disk_id) == "concluded":
        await machine.ask("job-dismiss", {"id": _JOB + disk_id})


async def _note(machine: Machine, disk_id: str, mirror: Mirror | None) -> None:
    others = {id: one for id, one in machine.journal.mirrors.items() if id != disk_id}
    await machine.remember(mirrors=others if mirror is None else {**others, disk_id: mirror})


def _toggled(crossed: tuple[str, ...], disk_id: str) -> tuple[str, ...]:
    return tuple(id for id in crossed if id != disk_id) if disk_id in crossed else (*crossed, disk_id)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, MachineFailed | Unfit) else f"It could not be copied: {error}."
