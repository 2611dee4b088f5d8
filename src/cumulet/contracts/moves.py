"""A machine on its way from one node to another: what the nodes are told, and what one says to the other."""

from __future__ import annotations

from cumulet.contracts.record import Record


class Arrival(Record, frozen=True, kw_only=True):
    """For the node on which a machine arrives: its own disks are not to be made but fetched."""

    move: str
    """Id of the move: what was fetched for an earlier one is no longer true."""
    source: str
    """Name of the node that has the disks; there the machine is off."""


class DiskFile(Record, frozen=True, kw_only=True):
    """One file that a machine stands on, by a name that its hypervisor knows."""

    name: str
    size: int
    """Bytes from its begin to its end, holes included."""


class Luggage(Record, frozen=True, kw_only=True):
    """All that a machine takes along."""

    files: tuple[DiskFile, ...] = ()
    numbers: dict[str, int] = {}
    """The places of its devices, so that its guest finds each where it was."""
