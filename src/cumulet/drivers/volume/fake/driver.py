"""The driver of a simulated backend."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.contracts.backends import Storage
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import CONTENT, COPY_FORMATS, EMPTY, VolumeFacts, VolumeSpec, export_name
from cumulet.drivers.hypervisor.fake.disk import empty_disk
from cumulet.drivers.volume.base import CopyFailed, Supplies
from cumulet.drivers.volume.fake.words import NOTHING, bytes_of, word_of
from cumulet.drivers.volume.fake.world import FakeExport, FakeVolume, VolumeWorld
from cumulet.lib.sparse import Parcel, frames, parcel

_PORT = 10809


FAKE_STORAGE = Storage(driver="fake", content="fake")


class FakeVolumes:
    """The volumes of one world."""

    name = "fake"

    def __init__(
        self, world: VolumeWorld, supplies: Supplies, host: str = "here", storage: Storage = FAKE_STORAGE
    ) -> None:
        """`host` is the name by which other nodes reach this one. `storage` is what it pretends to be; nodes whose
        storage is shared have one world."""
        self._world = world
        self._supplies = supplies
        self._host = host
        self._storage = storage

    def path(self, volume_id: str) -> str:
        return f"/fake/volumes/{volume_id}.qcow2"

    async def ensure(self, spec: VolumeSpec) -> VolumeFacts:
        fault = await self._fulfil(spec)
        if fault is not None:
            if spec.id in self._world.volumes:
                return self._facts(spec.id, fault=fault)
            return VolumeFacts(id=spec.id, size_gib=0, fault=fault)
        return self._facts(spec.id, digest=digest_of(spec))

    async def remove(self, volume_id: str) -> None:
        self._world.exports.pop(volume_id, None)
        self._world.volumes.pop(volume_id, None)

    async def let_go(self, volume_id: str) -> None:
        self._world.exports.pop(volume_id, None)

    @asynccontextmanager
    async def copied(
        self, volume_id: str, disk_format: str, *, snapshot_id: str = "", open_too: bool = False
    ) -> AsyncIterator[Path]:
        volume = self._world.volumes.get(volume_id)
        if volume is None:
            raise CopyFailed(f"there is no volume {volume_id} here")
        if volume.key:
            raise CopyFailed(f"volume {volume_id} is encrypted; its content leaves this node by its machine only")
        if disk_format not in COPY_FORMATS:
            raise CopyFailed(f"{disk_format!r} is none of {', '.join(COPY_FORMATS)}")
        if snapshot_id and snapshot_id not in volume.snapshots:
            raise CopyFailed(f"volume {volume_id} has no snapshot {snapshot_id}")
        if self._world.holders(volume_id) and not (snapshot_id or open_too):
            raise CopyFailed(f"volume {volume_id} is in use")
        size, content = volume.snapshots[snapshot_id] if snapshot_id else (volume.size_gib, volume.content)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "disk"
            path.write_bytes(bytes_of(content) if disk_format == "raw" else empty_disk(disk_format, size << 30))
            yield path

    @asynccontextmanager
    async def file(self, volume_id: str) -> AsyncIterator[Parcel]:
        volume = self._world.volumes.get(volume_id)
        if volume is None:
            raise CopyFailed(f"there is no volume {volume_id} here")
        if self._world.holders(volume_id):
            raise CopyFailed(f"volume {volume_id} is in use")
        with tempfile.TemporaryFile() as file:
            file.write(msgspec.json.encode(volume))
            file.flush()
            yield parcel(file.fileno())

    async def found(self) -> Sequence[VolumeFacts]:
        return [self._facts(volume_id) for volume_id in sorted(self._world.volumes)]

    async def about(self) -> Storage:
        total = self._world.capacity_gib
        free = max(0, total - self._world.used_gib())
        return msgspec.structs.replace(self._storage, total_gib=total, free_gib=free)

    async def _fulfil(self, spec: VolumeSpec) -> Fault | None:
        key = await self._supplies.volume_key(spec.id) if spec.encrypted else ""
        if spec.id not in self._world.volumes:
            if spec.arrives:
                made: FakeVolume | Fault = await self._arrive(spec)
            else:
                made = self._adopt(spec) if spec.adopt else self._make(spec, key)
            if isinstance(made, Fault):
                return made
            self._world.volumes[spec.id] = made
        volume = self._world.volumes[spec.id]
        if volume.key != key:
            return Fault(message="This volume's data or its source's is damaged.", code=500)
        self._match_export(spec)
        fault = self._revert(spec, volume) or self._reimage(spec, volume) or await self._restore(spec, volume)
        return fault or self._grow(spec, volume) or self._match_snapshots(spec, volume)

    def _match_export(self, spec: VolumeSpec) -> None:
        if not spec.export_secret:
            self._world.exports.pop(spec.id, None)
            return
        address = f"{self._host}:{_PORT}/{export_name(spec.export_secret)}"
        self._world.exports[spec.id] = FakeExport(address, spec.export_secret)

    async def _arrive(self, spec: VolumeSpec) -> FakeVolume:
        if spec.arrives in (CONTENT, EMPTY):
            comes = spec.arrives == CONTENT
            return FakeVolume(
                spec.size_gib,
                await word_of(self._supplies.volume_file(spec.id), spec.size_gib) if comes else NOTHING,
                reverts=spec.reverts,
                reimages=spec.reimages,
                restores=spec.restores,
                key=await self._supplies.volume_key(spec.id) if spec.encrypted else "",
            )
        text = bytearray()
        async for place, data in frames(self._supplies.volume_file(spec.id), most=1 << 20):
            text[place : place + len(data)] = data
        return msgspec.json.decode(bytes(text), type=FakeVolume)

    def _adopt(self, spec: VolumeSpec) -> FakeVolume | Fault:
        volume = self._world.volumes.get(spec.adopt)
        if volume is None:
            return Fault(message=f"There is no volume {spec.adopt} here to take over.", code=404)
        if self._world.holders(spec.adopt):
            return Fault(message=f"Volume {spec.adopt} is in use.", code=409)
        if volume.key:
            return Fault(message=f"Volume {spec.adopt} is encrypted, and nobody has its key.", code=400)
        volume.reverts = volume.reimages = volume.restores = 0
        return self._world.volumes.pop(spec.adopt)

    def _make(self, spec: VolumeSpec, key: str) -> FakeVolume | Fault:
        size, content = 0, NOTHING
        if spec.image is not None:
            size, content = -(-spec.image.size // (1 << 30)), f"image {spec.image.id}"
        elif spec.snapshot_id:
            found = self._world.snapshot(spec.snapshot_id)
            if found is None:
                return Fault(message=f"There is no snapshot {spec.snapshot_id} here.", code=404)
            size, content = found
        elif spec.volume_id:
            source = self._world.volumes.get(spec.volume_id)
            if source is None:
                return Fault(message=f"There is no volume {spec.volume_id} here to copy.", code=404)
            size, content = source.size_gib, source.content
        if size > spec.size_gib:
            message = f"{spec.size_gib} GiB are too few: the source needs {size} GiB."
            return Fault(message=message, code=400)
        return self._no_room(spec.size_gib) or FakeVolume(spec.size_gib, content, key=key)

    def _revert(self, spec: VolumeSpec, volume: FakeVolume) -> Fault | None:
        if spec.reverts <= volume.reverts:
            return None
        if spec.revert_to not in volume.snapshots:
            return Fault(message=f"There is no snapshot {spec.revert_to} of this volume to return to.", code=404)
        if self._world.holders(spec.id):
            return Fault(message="This volume is in use; detach it before it returns to a snapshot.", code=409)
        volume.size_gib, volume.content = volume.snapshots[spec.revert_to]
        volume.reverts = spec.reverts
        return None

    def _reimage(self, spec: VolumeSpec, volume: FakeVolume) -> Fault | None:
        if spec.reimages <= volume.reimages:
            return None
        if spec.image is None:
            return Fault(message="There is no image that this volume should be made of again.", code=404)
        if self._world.holders(spec.id):
            return Fault(message="This volume is in use; detach it before it gets another image.", code=409)
        volume.content, volume.reimages = f"image {spec.image.id}", spec.reimages
        return None

    async def _restore(self, spec: VolumeSpec, volume: FakeVolume) -> Fault | None:
        if spec.restores <= volume.restores:
            return None
        if self._world.holders(spec.id):
            return Fault(message="This volume is in use; detach it before a backup is restored to it.", code=409)
        volume.content = await word_of(self._supplies.backup(spec.restore_from), volume.size_gib)
        volume.restores = spec.restores
        return None

    def _grow(self, spec: VolumeSpec, volume: FakeVolume) -> Fault | None:
        if spec.size_gib <= volume.size_gib:
            return None
        fault = self._no_room(spec.size_gib - volume.size_gib)
        if fault is None:
            volume.size_gib = spec.size_gib
        return fault

    def _match_snapshots(self, spec: VolumeSpec, volume: FakeVolume) -> Fault | None:
        for name in [name for name in volume.snapshots if name not in spec.snapshots]:
            del volume.snapshots[name]
        for name in spec.snapshots:
            if name not in volume.snapshots:
                fault = self._no_room(volume.size_gib)
                if fault is not None:
                    return fault
                volume.snapshots[name] = (volume.size_gib, volume.content)
        return None

    def _no_room(self, more_gib: int) -> Fault | None:
        if self._world.used_gib() + more_gib <= self._world.capacity_gib:
            return None
        return Fault(message="The backend of this volume has no room left.", code=507)

    def _facts(self, volume_id: str, *, digest: str = "", fault: Fault | None = None) -> VolumeFacts:
        volume, export = self._world.volumes[volume_id], self._world.exports.get(volume_id)
        return VolumeFacts(
            id=volume_id,
            size_gib=volume.size_gib,
            digest=digest,
            snapshots=tuple(volume.snapshots),
            snapshot_sizes=tuple(size for size, _ in volume.snapshots.values()),
            encrypted=bool(volume.key),
            reverts=volume.reverts,
            reimages=volume.reimages,
            restores=volume.restores,
            connected_to=tuple(self._world.holders(volume_id)),
            exported=export.address if export is not None else "",
            fault=fault,
        )
