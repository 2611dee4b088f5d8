"""What a node remembers of one machine, on disk before anything is made: a new process finds everything by it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cumulet.contracts.machines import MachineSpec, Power, VolumeConnection
from cumulet.contracts.moves import Stage
from cumulet.contracts.record import Record
from cumulet.drivers.hypervisor.qemu.command import Sockets
from cumulet.drivers.hypervisor.qemu.devices import PORTS
from cumulet.lib.process import Identity, User
from cumulet.lib.whole_file import publish

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Leave(Record, frozen=True, kw_only=True):
    """A live move away from here."""

    move: str
    stage: Stage = Stage.LEAVING
    why: str = ""
    """It failed."""
    details: str = ""


class Mirror(Record, frozen=True, kw_only=True):
    """A volume on its way elsewhere; noted before anything is made for it."""

    target: VolumeConnection
    passed: bool = False
    """The machine goes on there. What is left to do is to clear away what led to the old place."""
    fault: str = ""


class Went(Record, frozen=True, kw_only=True):
    """A volume that went elsewhere, as long as orders still say the old place."""

    source: VolumeConnection
    target: VolumeConnection


class Journal(Record, frozen=True, kw_only=True):
    """The memory of one machine."""

    spec: MachineSpec
    """The newest order, with volumes that went elsewhere where they are now."""
    digest: str = ""
    """Of that order as it came."""
    running: MachineSpec | None = None
    """What its process was started as, with the devices that were plugged since; none: no process, no saved memory."""
    numbers: dict[str, int] = {}
    """The place of each device; see `devices.numbered`."""
    mirrors: dict[str, Mirror] = {}
    """By the ids of their disks."""
    went: dict[str, Went] = {}
    crossed: tuple[str, ...] = ()
    """Disks whose bytes are reached by the second of two names, since they went elsewhere under the process."""
    machine_type: str = ""
    """With its version, as it was started."""
    process: Identity | None = None
    power: Power = Power.STOPPED
    """Where our last act left it. Found otherwise, it went there by itself."""
    hard_reboots: int = 0
    soft_reboots: int = 0
    rebuilds: int = 0
    interrupts: int = 0
    rescue: str = ""
    """Digest of the image that the rescue disk was made from; empty: not rescued."""
    arriving: str = ""
    """The move whose files are being fetched, or were."""
    arrived: str = ""
    """The move for which all files are here."""
    leave: Leave | None = None
    """The newest live move away from here that was begun; none: it stays."""
    started_at: int = 0
    shutdown_asked_at: int = 0
    """When the guest was last asked to shut down, so that the waiting goes on where it was after a crash of ours."""

    def way(self, disk_id: str, *, mirror: bool = False) -> int:
        """The number in all names of what leads to the bytes of a disk; what leads to its mirror has another one."""
        return self.numbers[disk_id] + (PORTS if (disk_id in self.crossed) is not mirror else 0)


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one machine.

    The folder is ours, so that a guest that took over its QEMU cannot forge the journal; only `run` and `disks` belong
    to the user that QEMU runs as.
    """

    path: Path

    @classmethod
    def of(cls, state: Path, machine_id: str) -> Folder:
        if not _ID.fullmatch(machine_id):
            raise ValueError(f"{machine_id!r} is no id of a machine")
        return cls(state / "instances" / machine_id)

    @property
    def journal(self) -> Path:
        return self.path / "machine.json"

    @property
    def lock(self) -> Path:
        """Locked by every process that runs this machine, for as long as it lives."""
        return self.path / "lock"

    @property
    def log(self) -> Path:
        return self.path / "qemu.log"

    @property
    def memory(self) -> Path:
        """The memory of a suspended machine; whole if it is there."""
        return self.path / "memory"

    @property
    def disks(self) -> Path:
        return self.path / "disks"

    @property
    def secrets(self) -> Path:
        """What opens the secrets on the command line, until QEMU has read it."""
        return self.disks / "secrets.key"

    @property
    def sockets(self) -> Sockets:
        run = self.path / "run"
        return Sockets(
            monitor=run / "qmp",
            vnc=run / "vnc",
            serial=run / "tty",
            console_log=run / "console.log",
            memory=run / "mem",
            disks=run / "nbd",
            agent=run / "qga",
        )

    @property
    def relays(self) -> Path:
        """One folder for each of its disks that is a volume of the network."""
        return self.path / "relays"

    def relay(self, number: int) -> Path:
        """The socket at which such a disk is reached."""
        return self.relays / str(number) / "run" / "nbd"

    @property
    def keys(self) -> Path:
        """The folder with the secret of a live move, as QEMU looks for it."""
        return self.path / "run" / "keys"

    def make(self, user: User | None) -> None:
        """Make the folder, or what is missing of it."""
        self.path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o711, exist_ok=True)
        for inner in (self.sockets.monitor.parent, self.disks):
            inner.mkdir(mode=0o700, exist_ok=True)
            if user is not None:
                os.chown(inner, user.uid, user.gid)

    def load(self) -> Journal | None:
        try:
            return msgspec.json.decode(self.journal.read_bytes(), type=Journal)
        except FileNotFoundError:
            return None

    def save(self, journal: Journal) -> None:
        """Replace the journal: after a crash the old or the new one is there, whole. Once this has returned it is the
        new one, even after a power cut: by an old one a guest would start where a volume was before it went."""
        new = self.path / "machine.json.new"
        new.touch(mode=0o600)
        with new.open("wb") as file:
            file.write(msgspec.json.encode(journal))
            file.flush()
            os.fdatasync(file.fileno())
        publish(new, self.journal)


def folders(state: Path) -> Iterator[Folder]:
    """All machines that were ever begun here and not removed."""
    root = state / "instances"
    if root.is_dir():
        yield from (Folder(path) for path in sorted(root.iterdir()) if _ID.fullmatch(path.name))


def socket_at(path: Path) -> str:
    """A guest that took over its QEMU could put a link there that leads to somebody else's socket."""
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise FileNotFoundError(path)
    return str(path)
