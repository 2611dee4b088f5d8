"""A machine on its way from one node to another: what the nodes are told, and what one says to the other."""

from __future__ import annotations

import enum

from cumulet.contracts.record import Record


class Arrival(Record, frozen=True, kw_only=True):
    """For the node on which a machine arrives: its own disks are not to be made, they come from another node."""

    move: str
    """Id of the move: what was fetched for an earlier one is no longer true."""
    source: str
    """Name of the node that has the disks."""
    live: bool = False
    """The machine is not off there: its memory comes too, and it does not run here before the order that follows."""
    secret: str = ""
    """Known to both nodes of a live move and to nobody else."""


class Departure(Record, frozen=True, kw_only=True):
    """For the node that a machine is to leave while it runs."""

    move: str
    address: str
    """Where the other node can be asked."""
    memory_pass: str
    disks_pass: str
    """Sealed questions that open the ways there: only this machine's, and only for this move."""
    secret: str
    force: bool = False
    """It is not to run on here until the end: what changes no more has soon arrived."""


class Stage(enum.StrEnum):
    """How far a live move is on one of its two nodes."""

    READY = "ready"
    """The other node may begin to send."""
    ARRIVED = "arrived"
    """Everything is here. The machine waits for the order to go on."""
    LEAVING = "leaving"
    LEFT = "left"
    """Everything was sent. The machine goes on here only if it is ordered to stay."""
    FAILED = "failed"
    """It could not leave, and is here as before; or what came has ended here, and it is still on its old node."""


class Progress(Record, frozen=True, kw_only=True):
    """In bytes."""

    memory_total: int = 0
    memory_processed: int = 0
    memory_remaining: int = 0
    disk_total: int = 0
    disk_processed: int = 0
    disk_remaining: int = 0


class MoveFacts(Record, frozen=True, kw_only=True):
    """A live move as one of its nodes finds it."""

    move: str
    stage: Stage
    progress: Progress = Progress()


class DiskFile(Record, frozen=True, kw_only=True):
    """One file that a machine stands on, by a name that its hypervisor knows."""

    name: str
    size: int
    """Bytes from its begin to its end, holes included."""
    disk_size: int = 0
    """Of the disk in the file, as the guest sees it."""


class Luggage(Record, frozen=True, kw_only=True):
    """All that a machine takes along."""

    files: tuple[DiskFile, ...] = ()
    numbers: dict[str, int] = {}
    """The places of its devices, so that its guest finds each where it was."""
    machine_type: str = ""
    """With its version, as the machine runs; empty: it is off."""
    vcpus: int = 0
    memory_mib: int = 0
    guest_agent: bool = False
    """As the machine runs."""
    started_at: int = 0
    password: bytes = b""
    """What its guest has left for its owner; only the owner can read it."""
