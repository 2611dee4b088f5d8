"""The driver of volumes that are files in one folder."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.contracts.backends import Storage
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec, export_name
from cumulet.drivers.hypervisor.base import ImageFiles
from cumulet.drivers.volume.base import OpenVolumes, Supplies
from cumulet.drivers.volume.failing import FAILURES, GIB, Impossible, fault_of
from cumulet.drivers.volume.files.content import Content
from cumulet.drivers.volume.files.copying import Copying
from cumulet.drivers.volume.files.exports import Exports
from cumulet.drivers.volume.files.making import Making, copy_mark
from cumulet.drivers.volume.files.place import FilePlace
from cumulet.lib import qemu_img
from cumulet.lib.ids import is_uuid
from cumulet.lib.process import User
from cumulet.lib.sparse import Parcel


class FileVolumes:
    """The volumes of one folder."""

    name = "files"

    def __init__(
        self,
        folder: Path,
        images: ImageFiles,
        supplies: Supplies,
        *,
        machines: OpenVolumes | None = None,
        exports: Exports | None = None,
        user: User | None = None,
        parts: Path | None = None,
    ) -> None:
        """`user` is who opens the volumes: `qemu-img` here, and the machines. `exports` lets machines of other
        nodes reach them; without it only those here do. `parts` is where what is new is made, on the same file system;
        else in the folder."""
        self._place = FilePlace(folder, images, supplies, machines, exports, user, parts)
        self._folder, self._tool, self._exports = self._place.folder, self._place.tool, self._place.exports
        self._making, self._content = Making(self._place), Content(self._place)
        self._copying = Copying(self._place)

    def path(self, volume_id: str) -> str:
        return str(self._folder.file(volume_id))

    async def about(self) -> Storage:
        total, free = await self._place.in_folder(self._folder.room)
        return Storage(driver=self.name, content="qcow2", total_gib=total, free_gib=free)

    async def ensure(self, spec: VolumeSpec) -> VolumeFacts:
        async with self._place.turns.alone(spec.id):
            try:
                await self._fulfil(spec)
            except FAILURES as error:
                return await self._faulty(spec.id, fault_of(error))
            facts = await self._look(spec.id)
            # Who had it open when he was asked to change it may have let go of it before he did.
            if facts.size_gib < spec.size_gib or set(facts.snapshots) != set(spec.snapshots):
                return facts
            return msgspec.structs.replace(facts, digest=digest_of(spec))

    async def remove(self, volume_id: str) -> None:
        async with self._place.turns.alone(volume_id):
            # A copy that was given up half-way has left its mark in its source.
            mark = copy_mark(volume_id)
            source = await self._place.in_folder(self._folder.holder, mark)
            if source is not None:
                async with self._place.turns.alone(source):
                    await self._place.forget(source, mark)
            await self._exports.end(volume_id, self._folder.file(volume_id))
            await self._place.in_folder(self._folder.remove, volume_id)

    async def let_go(self, volume_id: str) -> None:
        async with self._place.turns.alone(volume_id):
            await self._exports.end(volume_id, self._folder.file(volume_id))

    def copied(
        self, volume_id: str, disk_format: str, *, snapshot_id: str = "", open_too: bool = False
    ) -> AbstractAsyncContextManager[Path]:
        return self._copying.copied(volume_id, disk_format, snapshot_id=snapshot_id, open_too=open_too)

    def file(self, volume_id: str) -> AbstractAsyncContextManager[Parcel]:
        return self._copying.whole(volume_id)

    async def found(self) -> Sequence[VolumeFacts]:
        facts = []
        for volume_id in await self._place.in_folder(self._folder.ids):
            with contextlib.suppress(FileNotFoundError):
                facts.append(await self._look(volume_id))
        return facts

    def close(self) -> None:
        """Let go of the threads."""
        self._place.pool.shutdown()

    async def _fulfil(self, spec: VolumeSpec) -> None:
        for name in spec.snapshots:
            if not is_uuid(name):
                raise ValueError(f"not an id of a snapshot: {name!r}")
        if not self._folder.file(spec.id).exists():
            await self._making.make(spec)
        await self._keep_export(spec)
        await self._content.match(spec)
        if self._folder.virtual_size(spec.id) < spec.size_gib * GIB:
            await self._grow(spec)
        await self._match_snapshots(spec)
        await self._export(spec)

    async def _keep_export(self, spec: VolumeSpec) -> None:
        """Have an export run that was made before, or end: what follows asks whoever has the volume open."""
        if spec.export_secret and self._exports.address(spec.id).endswith(f"/{export_name(spec.export_secret)}"):
            await self._export(spec)
        else:
            await self._exports.end(spec.id, self._folder.file(spec.id))

    async def _export(self, spec: VolumeSpec) -> None:
        if spec.export_secret:
            fetch = partial(self._place.supplies.volume_key, spec.id)
            key = fetch if self._folder.is_encrypted(spec.id) else None
            await self._exports.ensure(spec.id, self._folder.file(spec.id), spec.export_secret, key)

    async def _grow(self, spec: VolumeSpec) -> None:
        size = spec.size_gib * GIB
        file, keys = self._folder.file(spec.id), self._tool.to_read(spec.id)
        larger = qemu_img.resize(file, size, encrypted=bool(keys))
        if self._exports.address(spec.id):
            await self._exports.pause(spec.id)
            try:
                await self._tool.run(larger, keys)
            finally:
                await self._export(spec)
        elif await self._place.machines_with(spec.id):
            await self._place.machines.resize_volume(spec.id, size)
        else:
            await self._tool.run(larger, keys)

    async def _match_snapshots(self, spec: VolumeSpec) -> None:
        there = self._folder.snapshots(spec.id)
        for mark in filter(self._copying.is_left_over, there):
            await self._place.drop(spec.id, mark)
        found = [name for name in there if is_uuid(name)]
        for name in found:
            if name not in spec.snapshots:
                if self._place.turns.is_kept(name):
                    raise Impossible(f"A volume is being made from snapshot {name}.", 409)
                await self._place.drop(spec.id, name)
        for name in spec.snapshots:
            if name not in found:
                await self._place.take(spec.id, name)

    async def _look(self, volume_id: str) -> VolumeFacts:
        facts = await self._place.in_folder(self._folder.facts, volume_id)
        holders = tuple(await self._place.machines_with(volume_id))
        return msgspec.structs.replace(facts, connected_to=holders, exported=self._exports.address(volume_id))

    async def _faulty(self, volume_id: str, fault: Fault) -> VolumeFacts:
        try:
            return msgspec.structs.replace(await self._look(volume_id), fault=fault)
        except FileNotFoundError:
            return VolumeFacts(id=volume_id, size_gib=0, fault=fault)
