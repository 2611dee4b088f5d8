"""The files that a machine stands on, when it moves to another node: shown and sent from here, or brought here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from cumulet.contracts.moves import DiskFile, Luggage
from cumulet.drivers.hypervisor.base import MachineFailed, OutOfReach
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.lib.qcow2 import NotQcow2, read_header
from cumulet.lib.sparse import BrokenOff, NotSparse, Parcel, parcel, receive

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.(qcow2|base|raw|fd)")
_OWN_TO_A_NODE = ("rescue.", "copy.")
"""What is made anew wherever the machine is."""
_QCOW2 = (".qcow2", ".base")
_NEVER_WRITTEN = ".base"
_MOST_FILES = 100
_LARGEST_FILE = 1 << 46


def _travels(name: str) -> bool:
    return _FILE.fullmatch(name) is not None and not name.startswith(_OWN_TO_A_NODE)


# ---- from here ---------------------------------------------------------------------------------------------------


async def pack(machine: Machine) -> Luggage:
    """What it stands on."""
    files = []
    for path in sorted(path for path in machine.folder.disks.iterdir() if _travels(path.name)):
        # A disk may be thrown away, to be made anew, while we look.
        with contextlib.suppress(FileNotFoundError):
            about = path.lstat()
            # A base that is a link into this node's cache of images is had from the image itself.
            if stat.S_ISREG(about.st_mode):
                inside = read_header(path).virtual_size if path.suffix in _QCOW2 else about.st_size
                files.append(DiskFile(name=path.name, size=about.st_size, disk_size=inside))
    journal = machine.journal
    luggage = Luggage(files=tuple(files), numbers=journal.numbers)
    if journal.running is None or await machine.find_process() is None:
        return luggage
    return msgspec.structs.replace(
        luggage,
        machine_type=journal.machine_type,
        vcpus=journal.running.vcpus,
        memory_mib=journal.running.memory_mib,
        guest_agent=journal.running.guest_agent,
        started_at=journal.started_at,
    )


@asynccontextmanager
async def opened(machine: Machine, name: str, offset: int) -> AsyncIterator[Parcel]:
    """One of the files, from a place on."""
    if not name.endswith(_NEVER_WRITTEN):
        await _must_be_off(machine)
    if not _travels(name):
        raise MachineFailed(f"The machine has no file {name[:80]!r} to give away.")
    # A guest that took over its QEMU could have put a link there that leads to somebody else's file.
    try:
        fd = os.open(machine.folder.disks / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise MachineFailed(f"The machine has no file {name} to give away.", str(error)) from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise MachineFailed("A disk of the machine is not a plain file.", name)
        yield parcel(fd, offset)
    finally:
        os.close(fd)


async def _must_be_off(machine: Machine) -> None:
    if await machine.find_process() is not None:
        raise MachineFailed("The machine runs; its disks can be given away only while it is off.")


# ---- to here -----------------------------------------------------------------------------------------------------


async def fetch(machine: Machine) -> None:
    """Bring all of them, each from where an earlier attempt broke off."""
    luggage, move = await _unpack(machine)
    for file in luggage.files:
        await _bring(machine, file)
    await machine.remember(arrived=move, numbers=luggage.numbers)


async def prepare(machine: Machine) -> None:
    """For a machine that comes while it runs: bring what nobody writes to, and make room for the rest."""
    spec = machine.journal.spec
    luggage, _ = await _unpack(machine)
    if not luggage.machine_type:
        raise MachineFailed("The machine does not run on its old node.")
    if (luggage.vcpus, luggage.memory_mib) != (spec.vcpus, spec.memory_mib):
        raise MachineFailed("The machine runs with another size than is ordered. Restart it before it moves.")
    if luggage.guest_agent != spec.guest_agent:
        raise MachineFailed("The machine began before its image spoke of an agent. Restart it before it moves.")
    if not {*(disk.id for disk in spec.disks), *(nic.port_id for nic in spec.nics)} <= set(luggage.numbers):
        raise MachineFailed("The devices of the machine are just being changed.")
    for file in luggage.files:
        if file.name.endswith(_NEVER_WRITTEN):
            await _bring(machine, file)
    sizes = {file.name: file.disk_size for file in luggage.files}
    await machine.host.disks.make_room(machine.folder, spec, sizes)
    await machine.remember(numbers=luggage.numbers, machine_type=luggage.machine_type, started_at=luggage.started_at)


async def _unpack(machine: Machine) -> tuple[Luggage, str]:
    """What there is to bring, and for which move."""
    arrival, belongings = machine.journal.spec.arrival, machine.host.belongings
    if arrival is None or belongings is None:
        raise MachineFailed("This node has nowhere to fetch the disks of a machine from.")
    if machine.journal.arriving != arrival.move:
        # What is here is of an earlier stay; since then the machine ran elsewhere.
        await machine.host.disks.forget(machine.folder, rescue_only=False)
        await machine.remember(arriving=arrival.move)
    luggage = await belongings.luggage(machine.id)
    if len(luggage.files) > _MOST_FILES:
        raise MachineFailed("The machine's old node offers more files than a machine has.")
    return luggage, arrival.move


async def _bring(machine: Machine, file: DiskFile) -> None:
    if not _travels(file.name) or not 0 <= file.size <= _LARGEST_FILE:
        raise MachineFailed("The machine's old node offers something that is no disk.", repr(file))
    path = machine.folder.disks / file.name
    if path.exists():
        return
    part = path.with_name(f"{file.name}.part")
    fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        offset = os.fstat(fd).st_size
        assert machine.host.belongings is not None
        await receive(fd, machine.host.belongings.file(machine.id, file.name, offset), most=file.size)
        await asyncio.to_thread(os.fsync, fd)
        if machine.host.user is not None:
            os.fchown(fd, machine.host.user.uid, machine.host.user.gid)
    except NotSparse as error:
        part.unlink()
        raise MachineFailed("The machine's old node sent something else than a disk.", str(error)) from error
    except BrokenOff as error:
        raise OutOfReach(str(error)) from error
    finally:
        os.close(fd)
    _must_be_plain(part, file.name)
    part.rename(path)


def _must_be_plain(part: Path, name: str) -> None:
    """A file that leads to others would give the guest what is on this node."""
    if not name.endswith(_QCOW2):
        return
    with contextlib.suppress(OSError, NotQcow2):
        if not read_header(part).external_data:
            return
    part.unlink(missing_ok=True)
    raise MachineFailed("The machine's old node sent a disk that leads to other files.", name)
