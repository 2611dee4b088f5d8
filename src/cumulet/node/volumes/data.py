"""What a volume holds, as it is sent to whoever makes a backup of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from cumulet.lib.sparse import Parcel, parcel
from cumulet.node.volumes.backends import Backends


@asynccontextmanager
async def volume_data(backends: Backends, asked: Mapping[str, str]) -> AsyncIterator[Parcel]:
    """All that is in `volume`, or was when its `snapshot` was taken; of one moment, even while it is written to."""
    volumes, snapshot = backends.called(asked.get("backend", "")), asked.get("snapshot", "")
    async with volumes.copied(asked["volume"], "raw", snapshot_id=snapshot, open_too=True) as path:
        with path.open("rb") as file:
            yield parcel(file.fileno())
