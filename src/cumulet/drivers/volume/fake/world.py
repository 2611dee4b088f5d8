"""What exists on a simulated backend. It outlives the driver and has limited room."""

from __future__ import annotations

from dataclasses import dataclass, field

from cumulet.contracts.machines import VolumeConnection
from cumulet.drivers.hypervisor.base import OutOfReach
from cumulet.drivers.volume.base import EXPORT


@dataclass(slots=True)
class FakeVolume:
    """One volume. `content` is a word that stands for all its bytes: copies have the same."""

    size_gib: int
    content: str
    snapshots: dict[str, tuple[int, str]] = field(default_factory=dict)
    """(size, content) of that moment."""
    reverts: int = 0
    reimages: int = 0
    restores: int = 0
    key: str = ""
    """What opens it; empty: anybody can."""


@dataclass(frozen=True, slots=True)
class FakeExport:
    """A volume as machines of any node reach it."""

    address: str
    secret: str


@dataclass(slots=True)
class VolumeWorld:
    """What really exists on one backend."""

    capacity_gib: int = 1000
    volumes: dict[str, FakeVolume] = field(default_factory=dict)
    open_in: dict[str, set[str]] = field(default_factory=dict)
    """Which machines have a volume open."""
    exports: dict[str, FakeExport] = field(default_factory=dict)

    def holders(self, volume_id: str) -> list[str]:
        """Who has it open."""
        others = [EXPORT] if volume_id in self.exports else []
        return [*others, *sorted(self.open_in.get(volume_id, ()))]

    def lets_in(self, connection: VolumeConnection) -> bool:
        """Whether a volume is reached here in this way."""
        address = f"{connection.host}:{connection.port}/{connection.target}"
        return self.exports.get(connection.volume_id) == FakeExport(address, connection.secret)

    def held_in(self, volume_id: str) -> FakeVolume:
        """A volume, for whoever has it open. Raises OutOfReach."""
        volume = self.volumes.get(volume_id)
        if volume is None:
            raise OutOfReach(f"there is no volume {volume_id}")
        return volume

    def used_gib(self) -> int:
        return sum(
            volume.size_gib + sum(size for size, _ in volume.snapshots.values()) for volume in self.volumes.values()
        )

    def snapshot(self, snapshot_id: str) -> tuple[int, str] | None:
        for volume in self.volumes.values():
            if snapshot_id in volume.snapshots:
                return volume.snapshots[snapshot_id]
        return None
