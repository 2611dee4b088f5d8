"""What all machines of one node share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cumulet.drivers.hypervisor.base import Belongings, OpenWay
from cumulet.drivers.hypervisor.qemu.disks import Disks
from cumulet.lib.clock import Clock
from cumulet.lib.process import User


@dataclass(frozen=True, slots=True)
class Host:
    """The node as its machines see it."""

    state: Path
    program: str
    accelerator: str
    version: int
    net_namespace: str | None
    user: User | None
    """Who QEMU runs as; none: who we are."""
    tap: Callable[[str], str]
    """The name of the interface that belongs to a port."""
    belongings: Belongings | None
    """Where the disks of machines that arrive here are; none: no machine does."""
    open_way: OpenWay | None
    """How machines that leave while they run reach their new node; none: they cannot."""
    disks: Disks
    clock: Clock
