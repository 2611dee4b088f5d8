"""Copy a disk of a machine as it is at one moment, whether the machine runs or not."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path

from cumulet.contracts.machines import DiskSpec
from cumulet.drivers.hypervisor.base import MachineFailed, Unfit
from cumulet.drivers.hypervisor.qemu import qemu_img
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.qemu_img import FORMATS
from cumulet.lib.qmp import Event, MonitorLost, Refused

_COPY = "copy"
"""The name of the job and of its target in QEMU: a machine has one at a time, so leftovers are known by it."""
_SECONDS_TO_COPY = 6 * 3600.0


async def copy(machine: Machine, disk_id: str, disk_format: str, destination: str) -> int:
    """Write the copy to `destination`; its size in bytes."""
    format = FORMATS.get(disk_format)
    if format is None:
        raise Unfit(f"a disk cannot be copied into the format {disk_format!r}")
    async with machine.copying:
        await _tidy(machine)
        finished = machine.folder.disks / f"{_COPY}.finished"
        try:
            async with machine.lock:
                at_rest = await machine.find_process() is None
                if at_rest:
                    # Held until the end, so that the machine does not start meanwhile.
                    disk = _disk(machine, disk_id)
                    source, source_format = machine.host.disks.path(machine.folder, disk)
                    await qemu_img.convert(source, source_format, finished, format, machine.host.user)
            if not at_rest:
                await _copy_live(machine, disk_id, finished, format)
            return await asyncio.to_thread(_hand_over, finished, Path(destination))
        finally:
            await _tidy(machine)


def _disk(machine: Machine, disk_id: str) -> DiskSpec:
    spec = machine.journal.running or machine.journal.spec
    for disk in spec.disks:
        if disk.id == disk_id:
            return disk
    raise Unfit(f"the machine has no disk {disk_id!r}")


async def _copy_live(machine: Machine, disk_id: str, finished: Path, format: str) -> None:
    """What the guest overwrites during the copy is copied first: the result is the disk as it was at the beginning."""
    disk = _disk(machine, disk_id)
    node = machine.disk(disk).node
    written = "raw" if format == "raw" else "qcow2"
    target = machine.folder.disks / f"{_COPY}.{written}"
    blocks = await machine.ask("query-named-block-nodes", {"flat": True})
    size = next(int(block["image"]["virtual-size"]) for block in blocks if block.get("node-name") == node)
    await qemu_img.create_empty(target, written, size, machine.host.user)
    await machine.ask(
        "blockdev-add",
        {
            "driver": written,
            "node-name": _COPY,
            "discard": "unmap",
            "detect-zeroes": "unmap",
            "file": {"driver": "file", "filename": str(target)},
        },
    )
    with machine.expecting(_is_end_of_copy) as ended:
        await machine.ask("blockdev-backup", {"job-id": _COPY, "device": node, "target": _COPY, "sync": "full"})
        event = await asyncio.wait_for(ended, _SECONDS_TO_COPY)
    if event["event"] != "BLOCK_JOB_COMPLETED" or "error" in event["data"]:
        why = event.get("data", {}).get("error", "the machine went away")
        raise MachineFailed("The disk could not be copied.", str(why))
    await machine.ask("blockdev-del", {"node-name": _COPY})
    if written == format:
        target.rename(finished)
    else:
        await qemu_img.convert(target, written, finished, format, machine.host.user)


def _is_end_of_copy(event: Event) -> bool:
    return event["event"] in ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED") and event["data"].get("device") == _COPY


async def _tidy(machine: Machine) -> None:
    """End what a copy left behind that was broken off, by us or by a crash of ours."""
    if await machine.find_process() is not None:
        with contextlib.suppress(MonitorLost):  # it ends just now, and its jobs with it
            with machine.expecting(_is_end_of_copy) as ended, contextlib.suppress(Refused, TimeoutError):
                await machine.ask("block-job-cancel", {"device": _COPY, "force": True})
                await asyncio.wait_for(ended, 10)
            with contextlib.suppress(Refused):
                await machine.ask("blockdev-del", {"node-name": _COPY})
    for file in machine.folder.disks.glob(f"{_COPY}.*"):
        file.unlink(missing_ok=True)


def _hand_over(finished: Path, destination: Path) -> int:
    """Take the copy out of the machine's reach, and only then trust it to be a file."""
    try:
        finished.rename(destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with open(os.open(finished, os.O_RDONLY | os.O_NOFOLLOW), "rb") as source, destination.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    about = destination.lstat()
    if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
        destination.unlink()
        raise MachineFailed("The copy of the disk is not a plain file.")
    os.chown(destination, os.geteuid(), os.getegid())
    destination.chmod(0o600)
    return about.st_size
