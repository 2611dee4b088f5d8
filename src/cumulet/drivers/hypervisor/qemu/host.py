"""What all machines of one node share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from cumulet.contracts.machines import VolumeConnection
from cumulet.drivers.hypervisor.base import Belongings, MachineFailed, OpenWay, VolumeFiles
from cumulet.drivers.hypervisor.qemu.disks import Disks
from cumulet.lib.clock import Clock
from cumulet.lib.process import User

Keys = Callable[[str], Awaitable[str]]


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
    relay_user: User | None
    """Who carries what machines send to volumes of the network; none: who we are. Nobody that they could become."""
    reach_seconds: int
    """How long the node of such a volume may need until it can be reached."""
    tap: Callable[[str], str]
    """The name of the interface that belongs to a port."""
    belongings: Belongings | None
    """Where the disks of machines that arrive here are; none: no machine does."""
    open_way: OpenWay | None
    """How machines that leave while they run reach their new node; none: they cannot."""
    volumes: VolumeFiles
    disks: Disks
    keys: Keys | None
    """What opens encrypted volumes; none: nothing does."""
    clock: Clock

    async def secret_of(self, connection: VolumeConnection) -> str:
        """What opens an encrypted volume."""
        if self.keys is None:
            raise MachineFailed("Encrypted volumes cannot be opened here.")
        return await self.keys(connection.volume_id)
