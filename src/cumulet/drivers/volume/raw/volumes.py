"""Volumes of a store of raw bytes. What is made of something appears under its name when it is complete.

A copy shares what it can with its source, where the store lets it; so it is quick, and both may go in any order. That
of an encrypted volume is opened by a key of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.contracts.backends import Storage
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec
from cumulet.drivers.hypervisor.base import ImageFiles, MachineFailed, Opening
from cumulet.drivers.volume.base import CopyFailed, OpenVolumes, StorageSilent, Supplies
from cumulet.drivers.volume.failing import FAILURES, GIB, NotThere, copying, fault_of, may_be_copied
from cumulet.drivers.volume.raw.bench import SOURCE, Place, out_of
from cumulet.drivers.volume.raw.content import RawContent
from cumulet.drivers.volume.raw.making import RawMaking
from cumulet.drivers.volume.raw.place import (
    HEADER,
    MOMENT,
    REIMAGES,
    RESTORES,
    REVERTS,
    SNAPSHOT,
    VOLUME,
    RawPlace,
    count_of,
    header_of,
    part_of,
    volume,
)
from cumulet.drivers.volume.raw.store import Store
from cumulet.drivers.volume.raw.targets import Targets
from cumulet.lib.ids import is_uuid, new_uuid
from cumulet.lib.process import User
from cumulet.lib.sparse import Parcel


class RawVolumes:
    """The volumes of one store."""

    def __init__(
        self,
        name: str,
        store: Store,
        folder: Path,
        images: ImageFiles,
        supplies: Supplies,
        *,
        machines: OpenVolumes | None = None,
        targets: Targets | None = None,
        user: User | None = None,
        daemon_user: User | None = None,
    ) -> None:
        """`name` is the driver's. `targets` offers volumes to initiators anywhere. `user` reads what tenants brought,
        `daemon_user` opens the volumes."""
        self.name = name
        self._place = RawPlace(store, folder, images, supplies, machines, targets, user, daemon_user)
        self._store, self._targets = store, targets
        self._making, self._content = RawMaking(self._place), RawContent(self._place)

    async def about(self) -> Storage:
        return await self._store.about()

    async def ensure(self, spec: VolumeSpec) -> VolumeFacts:
        async with self._place.turns.alone(spec.id):
            try:
                await self._fulfil(spec)
            except FAILURES as error:
                return await self._faulty(spec.id, fault_of(error))
            return msgspec.structs.replace(await self._look(spec.id), digest=digest_of(spec))

    async def remove(self, volume_id: str) -> None:
        async with self._place.turns.alone(volume_id):
            if self._targets is not None:
                await self._targets.end(volume_id)
            for name in (part_of(volume_id), volume(volume_id)):
                await self._store.remove(name)

    async def let_go(self, volume_id: str) -> None:
        if self._targets is not None:
            await self._targets.end(volume_id)

    @contextlib.asynccontextmanager
    async def copied(
        self, volume_id: str, disk_format: str, *, snapshot_id: str = "", open_too: bool = False
    ) -> AsyncIterator[Path]:
        state = await self._place.state(volume_id) if is_uuid(volume_id) else None
        if state is None:
            raise CopyFailed(f"there is no volume {volume_id[:64]!r} here")
        may_be_copied(volume_id, disk_format, encrypted=HEADER in state.words)
        with self._place.parts.file(f"{new_uuid()}.copy") as part:
            with copying(volume_id):
                turns, bench = self._place.turns, self._place.bench
                async with self._readable(volume_id, snapshot_id, open_too=open_too) as snapshot, turns.copies:
                    opening = await self._store.opening(volume(volume_id), snapshot)
                    async with bench.places(source=Place(opening, read_only=True)) as found:
                        await bench.carry(out_of(found[SOURCE], part, disk_format), state.size)
            yield part

    @contextlib.asynccontextmanager
    async def file(self, volume_id: str) -> AsyncIterator[Parcel]:
        raise CopyFailed(f"volume {volume_id[:64]} is no file; only its content can be handed on")
        yield

    async def found(self) -> Sequence[VolumeFacts]:
        facts = []
        for name in await self._store.names():
            volume_id = name.removeprefix(VOLUME)
            if name.startswith(VOLUME) and is_uuid(volume_id):
                with contextlib.suppress(NotThere):
                    facts.append(await self._look(volume_id))
        return sorted(facts, key=lambda one: one.id)

    async def opening(self, volume_id: str) -> Opening:
        """How a machine's relay opens it. Raises `MachineFailed`."""
        try:
            await self._store.state(volume(volume_id))
            return await self._store.opening(volume(volume_id))
        except NotThere:
            raise MachineFailed(f"There is no volume {volume_id} in its backend.") from None
        except StorageSilent as error:
            raise MachineFailed(f"The backend of volume {volume_id} cannot be reached.", str(error)) from error

    async def halt(self) -> None:
        """Serve nothing any more, as a host does before it goes down itself."""
        await self._place.bench.clear()
        if self._targets is not None:
            await self._targets.halt()

    def close(self) -> None:
        """Let go of threads and connections."""
        self._place.pool.shutdown()
        self._store.close()

    async def _fulfil(self, spec: VolumeSpec) -> None:
        for name in spec.snapshots:
            if not is_uuid(name):
                raise ValueError(f"not an id of a snapshot: {name!r}")
        if await self._place.state(spec.id) is None:
            await self._making.make(spec)
        if self._targets is not None and not spec.export_secret:
            await self._targets.end(spec.id)
        await self._content.match(spec)
        if self._targets is not None and spec.export_secret:
            await self._targets.ensure(spec.id, await self._store.path(volume(spec.id)), spec.export_secret)

    @contextlib.asynccontextmanager
    async def _readable(self, volume_id: str, snapshot_id: str, *, open_too: bool) -> AsyncIterator[str]:
        """The snapshot to copy a volume by, kept as long as that takes; empty: nobody has the volume open."""
        if snapshot_id:
            mark = SNAPSHOT + snapshot_id
            if mark not in (await self._store.state(volume(volume_id))).snapshots:
                raise CopyFailed(f"volume {volume_id} has no snapshot {snapshot_id[:64]!r}")
            with self._place.turns.kept(snapshot_id):
                yield mark
        elif not await self._place.holders(volume_id):
            async with self._place.turns.alone(volume_id):
                yield ""
        elif open_too and self._store.moments:
            async with self._place.mark(volume_id, MOMENT + new_uuid()) as mark:
                yield mark
        else:
            raise CopyFailed(f"volume {volume_id} is in use")

    async def _look(self, volume_id: str) -> VolumeFacts:
        state = await self._store.state(volume(volume_id))
        header = header_of(state)
        snapshots = {
            name.removeprefix(SNAPSHOT): size for name, size in state.snapshots.items() if name.startswith(SNAPSHOT)
        }
        return VolumeFacts(
            id=volume_id,
            size_gib=-(-(state.size - header) // GIB),
            snapshots=tuple(snapshots),
            snapshot_sizes=tuple(-(-(size - header) // GIB) for size in snapshots.values()),
            encrypted=header > 0,
            reverts=count_of(state, REVERTS),
            reimages=count_of(state, REIMAGES),
            restores=count_of(state, RESTORES),
            connected_to=await self._place.holders(volume_id),
            exported=await self._targets.address(volume_id) if self._targets is not None else "",
        )

    async def _faulty(self, volume_id: str, fault: Fault) -> VolumeFacts:
        try:
            return msgspec.structs.replace(await self._look(volume_id), fault=fault)
        except NotThere:
            return VolumeFacts(id=volume_id, size_gib=0, fault=fault)
