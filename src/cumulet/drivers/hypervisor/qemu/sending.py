"""The node that a machine leaves while it runs. Its disks are copied while the guest writes on, then its memory; at the
end it stops, and waits for an order to stay or to be removed.

Whatever breaks off before, the machine is here as if nothing had been. It may also come back when all was sent, because
it does not run on the other node before an order that excludes the one to stay.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec

from cumulet.contracts.machines import DiskSpec, MachineFacts, MachineSpec
from cumulet.contracts.moves import Departure, MoveFacts, Progress, Stage
from cumulet.drivers.hypervisor.base import MachineFailed, OutOfReach
from cumulet.drivers.hypervisor.qemu import secrets
from cumulet.drivers.hypervisor.qemu.devices import Words
from cumulet.drivers.hypervisor.qemu.disks import own_disks
from cumulet.drivers.hypervisor.qemu.journal import Leave
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.move_failed import MoveFailed
from cumulet.drivers.hypervisor.qemu.steps import RUNNING_STATES, facts_of
from cumulet.drivers.hypervisor.qemu.ways import DISKS, MEMORY, way
from cumulet.lib.qmp import MonitorLost, Refused

_COPY = "leave-"
"""How the copies of disks are called in QEMU, as jobs and as targets."""
_PAUSE = 0.05
_SECONDS_TO_END = 30.0
_SECONDS_TO_ANSWER = 60.0
_FASTEST = 1 << 40


async def send(machine: Machine, spec: MachineSpec) -> MachineFacts:
    """Begin, or see how far it is. Whoever calls holds the machine's lock."""
    departure, leave = spec.departure, machine.journal.leave
    assert departure is not None
    if leave is None or leave.move != departure.move:
        await _break_off(machine)
        leave = Leave(move=departure.move)
        await machine.remember(leave=leave)
        machine.departing = asyncio.ensure_future(_depart(machine, departure))
    elif leave.stage is Stage.LEAVING and (machine.departing is None or machine.departing.done()):
        # The ways went through a process of ours that has ended.
        await _break_off(machine)
        leave = msgspec.structs.replace(leave, stage=Stage.FAILED, why="The node's agent was restarted meanwhile.")
        await machine.remember(leave=leave)
    seen = await machine.look()
    if departure.force and leave.stage is Stage.LEAVING and seen.status in RUNNING_STATES:
        await machine.ask("stop")
    move = MoveFacts(move=departure.move, stage=leave.stage, progress=machine.progress)
    facts = facts_of(machine.journal, seen, fulfilled=False)
    if leave.stage is Stage.FAILED:
        raise MoveFailed(facts, move, f"The machine could not leave its node. {leave.why}", leave.details)
    return msgspec.structs.replace(facts, move=move)


async def stay(machine: Machine) -> None:
    """No departure is ordered any more: the machine goes on here."""
    if machine.journal.leave is not None:
        await _break_off(machine)
        await machine.remember(leave=None)


# ---- on its way ----------------------------------------------------------------------------------------------------


async def _depart(machine: Machine, departure: Departure) -> None:
    """All of it, as a task of its own: orders that come meanwhile must be heard."""
    machine.progress = Progress()
    try:
        await _send_all(machine, departure)
        leave = Leave(move=departure.move, stage=Stage.LEFT)
    except asyncio.CancelledError:
        raise
    except (MachineFailed, OutOfReach, MonitorLost, Refused, TimeoutError, OSError) as error:
        await _tidy(machine)
        why = str(error) if isinstance(error, MachineFailed | OutOfReach) else ""
        details = getattr(error, "details", "") or f"{type(error).__name__}: {error}"
        leave = Leave(move=departure.move, stage=Stage.FAILED, why=why, details=details)
    await machine.remember(leave=leave)
    machine.note_change()


async def _send_all(machine: Machine, departure: Departure) -> None:
    running = machine.journal.running
    if running is None:
        raise MachineFailed("It does not run.")
    async with way(machine, departure, MEMORY) as for_memory, way(machine, departure, DISKS) as for_disks:
        await secrets.give(machine, departure.secret, server=False)
        disks = own_disks(running)
        for disk in disks:
            await for_disks.open()
            await _copy(machine, disk)
        await _until_copied(machine, len(disks))
        await for_memory.open()
        await _send_memory(machine)
        await for_memory.drained()
    await _tidy(machine)


async def _copy(machine: Machine, disk: DiskSpec) -> None:
    """From now on the other node has a copy that follows what the guest writes."""
    node = _node_of(machine, disk)
    await _ask(
        machine,
        "blockdev-add",
        {
            "driver": "raw",
            "node-name": _COPY + node,
            "discard": "unmap",
            "detect-zeroes": "unmap",
            "file": {
                "driver": "nbd",
                "server": {"type": "unix", "path": str(machine.folder.sockets.disks)},
                "export": disk.id,
                "tls-creds": secrets.ID,
            },
        },
    )
    # Of a disk that is based on an image the other node has the image already.
    sync = "top" if disk.image is not None else "full"
    mirror: Words = {"job-id": _COPY + node, "device": node, "target": _COPY + node, "sync": sync}
    await _ask(machine, "blockdev-mirror", mirror)


def _node_of(machine: Machine, disk: DiskSpec) -> str:
    return machine.disk(disk).node


async def _until_copied(machine: Machine, count: int) -> None:
    while True:
        jobs = await _jobs(machine)
        if len(jobs) < count:
            raise MachineFailed("The copy of a disk broke off.", machine.last_words())
        _note_progress(machine, jobs, {})
        if all(job.get("ready") for job in jobs):
            return
        await asyncio.sleep(_PAUSE)


async def _send_memory(machine: Machine) -> None:
    pauses, yields = ({"capability": name, "state": True} for name in ("pause-before-switchover", "auto-converge"))
    await _ask(machine, "migrate-set-capabilities", {"capabilities": [pauses, yields]})
    await _ask(machine, "migrate-set-parameters", {"tls-creds": secrets.ID, "max-bandwidth": _FASTEST})
    await _ask(machine, "migrate", {"uri": f"unix:{machine.folder.sockets.memory}"})
    while True:
        progress = await _ask(machine, "query-migrate")
        _note_progress(machine, await _jobs(machine), progress.get("ram", {}))
        match progress.get("status"):
            case "completed":
                return
            case "failed" | "cancelled":
                raise MachineFailed("Its memory could not be sent.", str(progress.get("error-desc", "")))
            case "pre-switchover":
                # The guest has stopped: nothing is written any more, and both copies of each disk are the same.
                await _end_copies(machine)
                await _ask(machine, "migrate-continue", {"state": "pre-switchover"})
        await asyncio.sleep(_PAUSE)


async def _end_copies(machine: Machine) -> None:
    """Every copy is ended in order, with all that was written."""
    for job in await _jobs(machine):
        await _ask(machine, "block-job-cancel", {"device": job["device"]})
    async with asyncio.timeout(_SECONDS_TO_END):
        while jobs := await _jobs(machine):
            if any(job.get("io-status", "ok") != "ok" for job in jobs):
                raise MachineFailed("The copy of a disk broke off at its end.", str(jobs))
            await asyncio.sleep(_PAUSE / 5)


async def _ask(machine: Machine, command: str, arguments: Words | None = None) -> Any:
    """A QEMU that waits for its copies, or for its node's disk, answers late; that is no reason to give the move up."""
    return await machine.ask(command, arguments, timeout=_SECONDS_TO_ANSWER)


async def _jobs(machine: Machine) -> list[dict[str, object]]:
    jobs = await _ask(machine, "query-block-jobs")
    return [job for job in jobs if str(job["device"]).startswith(_COPY)]


def _note_progress(machine: Machine, jobs: list[dict[str, object]], ram: dict[str, int]) -> None:
    total = sum(int(str(job["len"])) for job in jobs) or machine.progress.disk_total
    done = sum(int(str(job["offset"])) for job in jobs) if jobs else total
    machine.progress = Progress(
        memory_total=ram.get("total", 0),
        memory_processed=ram.get("transferred", 0),
        memory_remaining=ram.get("remaining", 0),
        disk_total=total,
        disk_processed=done,
        disk_remaining=max(0, total - done),
    )


# ---- back ----------------------------------------------------------------------------------------------------------


async def _break_off(machine: Machine) -> None:
    """End what is under way, also what a process of ours left behind that has ended."""
    if machine.departing is not None:
        machine.departing.cancel()
        await asyncio.wait([machine.departing])
        machine.departing = None
    await _tidy(machine)


async def _tidy(machine: Machine) -> None:
    """Nothing of a departure is left in QEMU; the guest runs if it did. One that was sent stays stopped."""
    if await machine.find_process() is None:
        return
    await _ask(machine, "migrate_cancel")
    async with asyncio.timeout(_SECONDS_TO_END):
        while await _is_busy(machine):
            for job in await _jobs(machine):
                with contextlib.suppress(Refused):
                    await _ask(machine, "block-job-cancel", {"device": job["device"], "force": True})
            await asyncio.sleep(_PAUSE / 5)
    for node in await _ask(machine, "query-named-block-nodes", {"flat": True}):
        if str(node.get("node-name", "")).startswith(_COPY):
            with contextlib.suppress(Refused):
                await _ask(machine, "blockdev-del", {"node-name": node["node-name"]})
    await secrets.take_back(machine)
    await _ask(machine, "migrate-set-parameters", {"tls-creds": ""})


async def _is_busy(machine: Machine) -> bool:
    status = (await _ask(machine, "query-migrate")).get("status")
    return status in _UNDER_WAY or bool(await _jobs(machine))


_UNDER_WAY = ("setup", "active", "pre-switchover", "device", "cancelling")
