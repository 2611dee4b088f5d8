"""The node that a machine leaves while it runs. Its disks are copied while the guest writes on, then its memory; at the
end it stops, and waits for an order to stay or to be removed.

Whatever breaks off before, the machine is here as if nothing had been. It may also come back when all was sent, because
it does not run on the other node before an order that excludes the one to stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import msgspec

from cumulet.contracts.machines import DiskSpec, MachineFacts, MachineSpec
from cumulet.contracts.moves import Departure, MoveFacts, Progress, Stage
from cumulet.drivers.hypervisor.base import MachineFailed, OutOfReach
from cumulet.drivers.hypervisor.qemu import secrets
from cumulet.drivers.hypervisor.qemu.devices import Words
from cumulet.drivers.hypervisor.qemu.disks import own_disks
from cumulet.drivers.hypervisor.qemu.journal import Leave
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.steps import RUNNING_STATES, facts_of
from cumulet.lib.joined import Ends, join
from cumulet.lib.qmp import MonitorLost, Refused

_COPY = "leave-"
"""How the copies of disks are called in QEMU, as jobs and as targets."""
_PAUSE = 0.05
_SECONDS_TO_END = 30.0
_FASTEST = 1 << 40
_MEMORY = "memory"
_DISKS = "disks"


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
    facts = msgspec.structs.replace(facts_of(machine.journal, seen, fulfilled=False), move=move)
    if leave.stage is Stage.FAILED:
        raise CouldNotLeave(facts, leave.why, leave.details)
    return facts


class CouldNotLeave(MachineFailed):
    """With the facts that say so."""

    def __init__(self, facts: MachineFacts, why: str, details: str) -> None:
        super().__init__(f"The machine could not leave its node. {why}", details)
        self.facts = facts


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
    async with _way(machine, departure, _MEMORY) as memory, _way(machine, departure, _DISKS):
        await secrets.give(machine, departure.secret, server=False)
        disks = own_disks(running)
        for disk in disks:
            await _copy(machine, disk)
        await _until_copied(machine, len(disks))
        await _send_memory(machine)
        await memory.drained()
    await _tidy(machine)


async def _copy(machine: Machine, disk: DiskSpec) -> None:
    """From now on the other node has a copy that follows what the guest writes."""
    node = _node_of(machine, disk)
    await machine.ask(
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
        timeout=_SECONDS_TO_END,
    )
    # Of a disk that is based on an image the other node has the image already.
    sync = "top" if disk.image is not None else "full"
    mirror: Words = {"job-id": _COPY + node, "device": node, "target": _COPY + node, "sync": sync}
    await machine.ask("blockdev-mirror", mirror)


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
    await machine.ask("migrate-set-capabilities", {"capabilities": [pauses, yields]})
    await machine.ask("migrate-set-parameters", {"tls-creds": secrets.ID, "max-bandwidth": _FASTEST})
    await machine.ask("migrate", {"uri": f"unix:{machine.folder.sockets.memory}"})
    while True:
        progress = await machine.ask("query-migrate")
        _note_progress(machine, await _jobs(machine), progress.get("ram", {}))
        match progress.get("status"):
            case "completed":
                return
            case "failed" | "cancelled":
                raise MachineFailed("Its memory could not be sent.", str(progress.get("error-desc", "")))
            case "pre-switchover":
                # The guest has stopped: nothing is written any more, and both copies of each disk are the same.
                await _end_copies(machine)
                await machine.ask("migrate-continue", {"state": "pre-switchover"})
        await asyncio.sleep(_PAUSE)


async def _end_copies(machine: Machine) -> None:
    """Every copy is ended in order, with all that was written."""
    for job in await _jobs(machine):
        await machine.ask("block-job-cancel", {"device": job["device"]})
    async with asyncio.timeout(_SECONDS_TO_END):
        while jobs := await _jobs(machine):
            if any(job.get("io-status", "ok") != "ok" for job in jobs):
                raise MachineFailed("The copy of a disk broke off at its end.", str(jobs))
            await asyncio.sleep(_PAUSE / 5)


async def _jobs(machine: Machine) -> list[dict[str, object]]:
    jobs = await machine.ask("query-block-jobs")
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


# ---- ways ----------------------------------------------------------------------------------------------------------


class _Way:
    """A socket at which this machine's QEMU reaches its counterpart on the other node."""

    def __init__(self, machine: Machine, departure: Departure, what: str) -> None:
        self._machine = machine
        self._departure = departure
        self._what = what
        self.tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._carry((reader, writer)))
        self.tasks.add(task)

    async def _carry(self, here: Ends) -> None:
        assert self._machine.host.open_way is not None
        try:
            there = await self._machine.host.open_way(self._departure, self._what)
        except OutOfReach:
            here[1].close()
            raise
        await join(here, there)
        with contextlib.suppress(OSError):
            await there[1].wait_closed()

    async def drained(self) -> None:
        """All that was sent has gone out."""
        async with asyncio.timeout(_SECONDS_TO_END):
            for task in list(self.tasks):
                await task


@contextlib.asynccontextmanager
async def _way(machine: Machine, departure: Departure, what: str) -> AsyncIterator[_Way]:
    if machine.host.open_way is None:
        raise MachineFailed("This node knows no way to others.")
    path = machine.folder.sockets.memory if what == _MEMORY else machine.folder.sockets.disks
    path.unlink(missing_ok=True)
    way = _Way(machine, departure, what)
    server = await asyncio.start_unix_server(way.accept, path)
    if machine.host.user is not None:
        # A guest that took over its QEMU must not have this node change the owner of something else.
        os.chown(path, machine.host.user.uid, machine.host.user.gid, follow_symlinks=False)
    try:
        yield way
    finally:
        server.close()
        for task in way.tasks:
            task.cancel()
        await asyncio.gather(*way.tasks, return_exceptions=True)
        path.unlink(missing_ok=True)


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
    await machine.ask("migrate_cancel")
    async with asyncio.timeout(_SECONDS_TO_END):
        while await _is_busy(machine):
            for job in await _jobs(machine):
                with contextlib.suppress(Refused):
                    await machine.ask("block-job-cancel", {"device": job["device"], "force": True})
            await asyncio.sleep(_PAUSE / 5)
    for node in await machine.ask("query-named-block-nodes", {"flat": True}):
        if str(node.get("node-name", "")).startswith(_COPY):
            with contextlib.suppress(Refused):
                await machine.ask("blockdev-del", {"node-name": node["node-name"]})
    await secrets.take_back(machine)
    await machine.ask("migrate-set-parameters", {"tls-creds": ""})


async def _is_busy(machine: Machine) -> bool:
    status = (await machine.ask("query-migrate")).get("status")
    return status in _UNDER_WAY or bool(await _jobs(machine))


_UNDER_WAY = ("setup", "active", "pre-switchover", "device", "cancelling")
