"""What every volume driver can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cumulet.contracts.volumes import VolumeFacts, VolumeSpec


class Volumes(Protocol):
    """The volumes of one backend. Every method may be called again after a crash at any point."""

    name: str
    protocol: str

    async def ensure(self, spec: VolumeSpec) -> VolumeFacts:
        """Make the volume as wished: content from its source once, at least that size, exactly those snapshots."""
        ...

    async def remove(self, volume_id: str) -> None:
        """Destroy the volume and its snapshots. Removing what is not there is no error."""
        ...

    async def found(self) -> Sequence[VolumeFacts]:
        """All volumes that exist on this backend, known or not."""
        ...

    async def capacity_gib(self) -> tuple[int, int]:
        """(total, free) of the backend."""
        ...
