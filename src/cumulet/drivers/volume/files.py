"""Volumes as files: one qcow2 file each, that refers to no other.

Copies are full copies, so no volume lives off another's file, and deleting is deleting. Snapshots lie inside the file:
taking one is quick, whether the volume is open (then its machine does it) or not, and what belongs to a snapshot is
never written again, so that a new volume can be copied from it while a guest goes on writing.

A volume appears when it is complete: it is made in `parts`, which is emptied at the start, and then renamed. One
process uses the folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.contracts.backends import Storage
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import COPY_FORMATS, VolumeFacts, VolumeSpec, export_name
from cumulet.drivers.hypervisor.base import ImageFiles, ImageUnusable, MachineFailed
from cumulet.drivers.volume.base import CopyFailed, OpenVolumes, Supplies
from cumulet.drivers.volume.exports import Exports
from cumulet.drivers.volume.folder import GIB, REIMAGES, RESTORES, REVERTS, Folder
from cumulet.drivers.volume.holders import Holders
from cumulet.drivers.volume.tool import NO_KEYS, Tool, VolumeKeys
from cumulet.lib import qemu_img
from cumulet.lib.ids import is_uuid, new_uuid
from cumulet.lib.process import User
from cumulet.lib.qcow2 import NotQcow2, read_header
from cumulet.lib.qemu_img import DiskBusy, DiskFull, NoSuchSnapshot, NotReadable
from cumulet.lib.sparse import Parcel, parcel, receive
from cumulet.lib.storage_daemon import DaemonFailed
from cumulet.lib.whole_file import finished

_AT_ONCE = 2
_OPENINGS = 8
"""How often a file is opened at most for one of its snapshots, when the list of them is being written just then."""


_LARGEST_FILE = 1 << 50
_MOMENT = "moment-"
"""How the names of snapshots begin that live as long as one copy; no ids, so they are never taken for ordered ones."""


class Impossible(Exception):
    """The volume cannot be as ordered; the message is for its owner."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


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
    ) -> None:
        """`user` is who opens the volumes: `qemu-img` here, and the machines. `exports` lets machines of other
        nodes reach them; without it only those here do."""
        self._folder = Folder(folder / "volumes")
        self._parts = folder / "parts"
        self._images = images
        self._supplies = supplies
        self._tool = Tool(self._folder, self._parts, supplies, user)
        self._exports = exports or Exports(folder / "exports", "", owner=user)
        self._machines = Holders(self._exports, *([machines] if machines is not None else []))
        self._user = user
        shutil.rmtree(self._parts, ignore_errors=True)
        # The user passes through, and nobody can list.
        for path in (folder, self._folder.path):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o711)
        self._parts.mkdir(mode=0o700)
        if user is not None:
            os.chown(self._parts, user.uid, user.gid)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="volumes")
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._sources: Counter[str] = Counter()
        self._moments: set[str] = set()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def path(self, volume_id: str) -> str:
        return str(self._folder.file(volume_id))

    async def ensure(self, spec: VolumeSpec) -> VolumeFacts:
        async with self._alone(spec.id):
            try:
                await self._fulfil(spec)
            except Impossible as error:
                return await self._faulty(spec.id, str(error), error.code)
            except ImageUnusable as error:
                return await self._faulty(spec.id, str(error), 400)
            except DiskFull as error:
                return await self._faulty(spec.id, "The backend of this volume has no room left.", 507, str(error))
            except DiskBusy as error:
                return await self._faulty(spec.id, "This volume or its source is in use.", 409, str(error))
            except (MachineFailed, DaemonFailed) as error:
                return await self._faulty(spec.id, str(error), 500, error.details)
            except (NotReadable, NotQcow2) as error:
                return await self._faulty(spec.id, "This volume's data or its source's is damaged.", 500, str(error))
            return msgspec.structs.replace(await self._look(spec.id), digest=digest_of(spec))

    async def remove(self, volume_id: str) -> None:
        async with self._alone(volume_id):
            # A copy that was given up half-way has left its mark in its source.
            mark = _copy_mark(volume_id)
            source = await finished(self._pool, self._folder.holder, mark)
            if source is not None:
                async with self._alone(source):
                    await self._drop(source, mark)
            await self._exports.end(volume_id, self._folder.file(volume_id))
            await finished(self._pool, self._folder.remove, volume_id)

    async def let_go(self, volume_id: str) -> None:
        async with self._alone(volume_id):
            await self._exports.end(volume_id, self._folder.file(volume_id))

    @contextlib.asynccontextmanager
    async def copied(
        self, volume_id: str, disk_format: str, *, snapshot_id: str = "", open_too: bool = False
    ) -> AsyncIterator[Path]:
        if not is_uuid(volume_id) or not self._folder.file(volume_id).exists():
            raise CopyFailed(f"there is no volume {volume_id[:64]!r} here")
        if self._folder.is_encrypted(volume_id):
            raise CopyFailed(f"volume {volume_id} is encrypted; its content leaves this node by its machine only")
        if disk_format not in COPY_FORMATS:
            raise CopyFailed(f"{disk_format[:64]!r} is none of {', '.join(COPY_FORMATS)}")
        part = self._parts / f"{new_uuid()}.copy"
        try:
            async with self._readable(volume_id, snapshot_id, open_too=open_too) as snapshot, self._turns:
                arguments = qemu_img.convert(
                    self._folder.file(volume_id),
                    "qcow2",
                    part,
                    output=disk_format,
                    snapshot=snapshot,
                    shared=bool(snapshot),
                )
                await self._convert(arguments, NO_KEYS, self._folder.virtual_size(volume_id))
            yield part
        except DiskFull as error:
            raise CopyFailed("there is no room for a copy here") from error
        except DiskBusy as error:
            raise CopyFailed(f"volume {volume_id} is in use") from error
        except MachineFailed as error:
            raise CopyFailed(str(error)) from error
        except (NotReadable, NotQcow2, FileNotFoundError) as error:
            raise CopyFailed(f"the data of volume {volume_id} cannot be read") from error
        finally:
            part.unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def file(self, volume_id: str) -> AsyncIterator[Parcel]:
        if not is_uuid(volume_id) or not self._folder.file(volume_id).exists():
            raise CopyFailed(f"there is no volume {volume_id[:64]!r} here")
        async with self._alone(volume_id):
            if await self._machines_with(volume_id):
                raise CopyFailed(f"volume {volume_id} is in use")
            with self._folder.file(volume_id).open("rb") as file:
                yield parcel(file.fileno())

    @contextlib.asynccontextmanager
    async def _readable(self, volume_id: str, snapshot_id: str, *, open_too: bool) -> AsyncIterator[str]:
        """The snapshot to copy a volume by, kept as long as that takes; empty: nobody has the volume open."""
        if snapshot_id:
            if snapshot_id not in self._folder.snapshots(volume_id):
                raise CopyFailed(f"volume {volume_id} has no snapshot {snapshot_id[:64]!r}")
            with self._kept(snapshot_id):
                yield snapshot_id
        elif open_too:
            async with self._moment(volume_id) as mark:
                yield mark
        elif await self._machines_with(volume_id):
            raise CopyFailed(f"volume {volume_id} is in use")
        else:
            yield ""

    @contextlib.contextmanager
    def _kept(self, snapshot: str) -> Iterator[None]:
        self._sources[snapshot] += 1
        try:
            yield
        finally:
            self._sources[snapshot] -= 1

    @contextlib.asynccontextmanager
    async def _moment(self, volume_id: str) -> AsyncIterator[str]:
        """A snapshot of now, for a copy that has nothing to do with the order. One that is left over goes with the
        next look at the volume."""
        mark = f"{_MOMENT}{new_uuid()}"
        self._moments.add(mark)
        try:
            async with self._alone(volume_id):
                await self._take(volume_id, mark)
            try:
                yield mark
            finally:
                async with self._alone(volume_id):
                    with contextlib.suppress(MachineFailed, DiskBusy, NotReadable):
                        await self._drop(volume_id, mark)
        finally:
            self._moments.discard(mark)

    async def found(self) -> Sequence[VolumeFacts]:
        facts = []
        for volume_id in await finished(self._pool, self._folder.ids):
            with contextlib.suppress(FileNotFoundError):
                facts.append(await self._look(volume_id))
        return facts

    async def about(self) -> Storage:
        total, free = await finished(self._pool, self._folder.room)
        return Storage(driver=self.name, content="qcow2", total_gib=total, free_gib=free)

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown()

    async def _fulfil(self, spec: VolumeSpec) -> None:
        for name in spec.snapshots:
            if not is_uuid(name):
                raise ValueError(f"not an id of a snapshot: {name!r}")
        if not self._folder.file(spec.id).exists():
            await (self._arrive(spec) if spec.arrives else self._adopt(spec) if spec.adopt else self._make(spec))
        await self._keep_export(spec)
        await self._revert(spec)
        await self._reimage(spec)
        await self._restore(spec)
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
            key = partial(self._supplies.volume_key, spec.id) if self._folder.is_encrypted(spec.id) else None
            await self._exports.ensure(spec.id, self._folder.file(spec.id), spec.export_secret, key)

    async def _arrive(self, spec: VolumeSpec) -> None:
        """Take the file over from another node, with all that is in it. What was done there is not done again."""
        part = self._parts / f"{spec.id}.arriving"
        part.unlink(missing_ok=True)
        try:
            await self._fetch(self._supplies.volume_file(spec.id), part, _LARGEST_FILE)
            header = read_header(part)
            if header.external_data or header.backed:
                raise Impossible("The file of this volume names other files.", 400)
            await finished(self._pool, self._folder.note_count, spec.id, REVERTS, spec.reverts)
            await finished(self._pool, self._folder.note_count, spec.id, REIMAGES, spec.reimages)
            await finished(self._pool, self._folder.note_count, spec.id, RESTORES, spec.restores)
            await finished(self._pool, self._folder.add, part, spec.id)
        finally:
            part.unlink(missing_ok=True)

    async def _adopt(self, spec: VolumeSpec) -> None:
        if spec.adopt == spec.id:
            raise Impossible(f"There is no volume {spec.adopt} here to take over.", 404)
        async with self._alone(spec.adopt):
            if not self._folder.file(spec.adopt).exists():
                raise Impossible(f"There is no volume {spec.adopt} here to take over.", 404)
            if await self._machines_with(spec.adopt):
                raise Impossible(f"Volume {spec.adopt} is in use.", 409)
            if self._folder.is_encrypted(spec.adopt):
                raise Impossible(f"Volume {spec.adopt} is encrypted, and nobody has its key.", 400)
            await finished(self._pool, self._folder.rename, spec.adopt, spec.id)

    async def _make(self, spec: VolumeSpec) -> None:
        part = self._parts / f"{spec.id}.qcow2"
        size = spec.size_gib * GIB
        # There may be one whose maker was cancelled.
        part.unlink(missing_ok=True)
        try:
            if spec.image is not None:
                image = Path(await self._images.path(spec.image))
                await self._copy(image, "", read_header(image).virtual_size, part, spec)
            elif spec.snapshot_id:
                await self._copy_snapshot(spec.snapshot_id, part, spec)
            elif spec.volume_id:
                await self._copy_volume(spec, part)
            else:
                luks, keys = self._tool.to_make(spec)
                await self._tool.run(qemu_img.create(part, size, luks), keys)
            await finished(self._pool, self._folder.add, part, spec.id)
        finally:
            part.unlink(missing_ok=True)

    async def _copy_volume(self, spec: VolumeSpec, part: Path) -> None:
        """Copy a volume as it is now, by a snapshot, so that its machine need not wait while we copy."""
        mark = _copy_mark(spec.id)
        if spec.volume_id == spec.id or not self._folder.file(spec.volume_id).exists():
            raise Impossible(f"There is no volume {spec.volume_id} here to copy.", 404)
        async with self._alone(spec.volume_id):
            if mark not in self._folder.snapshots(spec.volume_id):
                await self._take(spec.volume_id, mark)
            needed = self._folder.snapshots(spec.volume_id)[mark]
        await self._copy(self._folder.file(spec.volume_id), mark, needed, part, spec, of=spec.volume_id)
        async with self._alone(spec.volume_id):
            await self._drop(spec.volume_id, mark)

    async def _copy_snapshot(self, snapshot: str, part: Path, spec: VolumeSpec) -> None:
        with self._kept(snapshot):
            holder, needed = await self._holder(snapshot)
            await self._copy(self._folder.file(holder), snapshot, needed, part, spec, of=holder)

    async def _holder(self, snapshot: str) -> tuple[str, int]:
        """The volume that has this snapshot, and the size it had then. Looked for again, as in `_convert`."""
        for _ in range(_OPENINGS):
            holder = await finished(self._pool, self._folder.holder, snapshot)
            size = self._folder.snapshots(holder).get(snapshot) if holder is not None else None
            if holder is not None and size is not None:
                return holder, size
        raise Impossible(f"There is no snapshot {snapshot} here.", 404)

    async def _copy(
        self, source: Path, snapshot: str, needed: int, part: Path, spec: VolumeSpec, *, of: str = ""
    ) -> None:
        """`of` is the volume whose file the source is; none: it is an image's."""
        size = spec.size_gib * GIB
        if needed > size:
            raise Impossible(f"{spec.size_gib} GiB are too few: the source needs {-(-needed // GIB)} GiB.", 400)
        luks, keys = self._tool.to_make(spec)
        to_read = self._tool.to_read(of) if of else NO_KEYS
        arguments = qemu_img.convert(
            source, "qcow2", part, snapshot=snapshot, shared=bool(snapshot), encrypted=bool(to_read), luks=luks
        )
        async with self._turns:
            await self._convert(arguments, {**to_read, **keys}, size)
        # A copy of a snapshot gets the size that its volume has now; what it holds ends at `needed`.
        opened = {qemu_img.SOURCE: spec.id} if spec.encrypted else NO_KEYS
        await self._tool.run(qemu_img.resize(part, size, encrypted=spec.encrypted), opened)

    async def _convert(self, arguments: list[str], keys: VolumeKeys, size: int) -> None:
        """A snapshot is read while others are taken and dropped in the same file, by a machine too: who opens the file
        while its list is replaced cannot find what he came for, and finds it when he opens the file again."""
        for left in reversed(range(_OPENINGS)):
            try:
                return await self._tool.run(arguments, keys, seconds=qemu_img.LONG_SECONDS, writes=size)
            except NoSuchSnapshot:
                if not left:
                    raise

    async def _revert(self, spec: VolumeSpec) -> None:
        if spec.reverts <= self._folder.count(spec.id, REVERTS):
            return
        if spec.revert_to not in self._folder.snapshots(spec.id):
            raise Impossible(f"There is no snapshot {spec.revert_to} of this volume to return to.", 404)
        if await self._machines_with(spec.id):
            raise Impossible("This volume is in use; detach it before it returns to a snapshot.", 409)
        file, keys = self._folder.file(spec.id), self._tool.to_read(spec.id)
        await self._tool.run(qemu_img.return_to_snapshot(file, spec.revert_to, encrypted=bool(keys)), keys)
        await finished(self._pool, self._folder.note_count, spec.id, REVERTS, spec.reverts)

    async def _restore(self, spec: VolumeSpec) -> None:
        """Let it hold what the backup held, and nothing beyond. Interrupted, it is begun again."""
        if spec.restores <= self._folder.count(spec.id, RESTORES):
            return
        if await self._machines_with(spec.id):
            raise Impossible("This volume is in use; detach it before a backup is restored to it.", 409)
        part = self._parts / f"{spec.id}.raw"
        part.unlink(missing_ok=True)
        size = self._folder.virtual_size(spec.id)
        try:
            await self._fetch(self._supplies.backup(spec.restore_from), part, size)
            os.truncate(part, size)
            await self._write_over(part, "raw", spec.id)
            await finished(self._pool, self._folder.note_count, spec.id, RESTORES, spec.restores)
        finally:
            part.unlink(missing_ok=True)

    async def _reimage(self, spec: VolumeSpec) -> None:
        """Let it hold what the image holds, and nothing beyond. Interrupted, it is begun again."""
        if spec.reimages <= self._folder.count(spec.id, REIMAGES):
            return
        if spec.image is None:
            raise Impossible("There is no image that this volume should be made of again.", 404)
        if await self._machines_with(spec.id):
            raise Impossible("This volume is in use; detach it before it gets another image.", 409)
        image = Path(await self._images.path(spec.image))
        size, needed = self._folder.virtual_size(spec.id), read_header(image).virtual_size
        if needed > size:
            raise Impossible(f"{size // GIB} GiB are too few: the image needs {-(-needed // GIB)} GiB.", 400)
        part = self._parts / f"{spec.id}.image"
        part.unlink(missing_ok=True)
        try:
            async with self._turns:
                await self._convert(qemu_img.convert(image, "qcow2", part), NO_KEYS, size)
            await self._tool.run(qemu_img.resize(part, size))
            await self._write_over(part, "qcow2", spec.id)
            await finished(self._pool, self._folder.note_count, spec.id, REIMAGES, spec.reimages)
        finally:
            part.unlink(missing_ok=True)

    async def _write_over(self, part: Path, part_format: str, volume_id: str) -> None:
        file, keys = self._folder.file(volume_id), self._tool.to_write_over(volume_id)
        arguments = qemu_img.write_over(part, part_format, file, encrypted=bool(keys))
        writes = self._folder.virtual_size(volume_id) + file.stat().st_size
        async with self._turns:
            await self._tool.run(arguments, keys, seconds=qemu_img.LONG_SECONDS, writes=writes)

    async def _fetch(self, stream: AsyncIterator[bytes], part: Path, most: int) -> None:
        """A file from elsewhere, of at most so many bytes. Raises as `receive` and as fetching does."""
        file = await finished(self._pool, part.open, "xb")
        try:
            if self._user is not None:
                os.chown(part, self._user.uid, self._user.gid)
            await receive(file.fileno(), stream, most=most)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise DiskFull(str(error)) from error
            raise
        finally:
            file.close()

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
        elif await self._machines_with(spec.id):
            await self._machines.resize_volume(spec.id, size)
        else:
            await self._tool.run(larger, keys)

    async def _match_snapshots(self, spec: VolumeSpec) -> None:
        there = self._folder.snapshots(spec.id)
        for mark in there:
            if mark.startswith(_MOMENT) and mark not in self._moments:
                await self._drop(spec.id, mark)
        found = [name for name in there if is_uuid(name)]
        for name in found:
            if name not in spec.snapshots:
                if self._sources[name]:
                    raise Impossible(f"A volume is being made from snapshot {name}.", 409)
                await self._drop(spec.id, name)
        for name in spec.snapshots:
            if name not in found:
                await self._take(spec.id, name)

    async def _take(self, volume_id: str, name: str) -> None:
        if await self._machines_with(volume_id):
            await self._machines.take_volume_snapshot(volume_id, name)
        else:
            file, keys = self._folder.file(volume_id), self._tool.to_read(volume_id)
            await self._tool.run(qemu_img.take_snapshot(file, name, encrypted=bool(keys)), keys)

    async def _drop(self, volume_id: str, name: str) -> None:
        if await self._machines_with(volume_id):
            await self._machines.drop_volume_snapshot(volume_id, name)
        else:
            file, keys = self._folder.file(volume_id), self._tool.to_read(volume_id)
            await self._tool.run(qemu_img.drop_snapshot(file, name, encrypted=bool(keys)), keys)

    async def _machines_with(self, volume_id: str) -> Sequence[str]:
        return await self._machines.machines_with(volume_id)

    async def _look(self, volume_id: str) -> VolumeFacts:
        facts = await finished(self._pool, self._folder.facts, volume_id)
        holders = tuple(await self._machines_with(volume_id))
        return msgspec.structs.replace(facts, connected_to=holders, exported=self._exports.address(volume_id))

    async def _faulty(self, volume_id: str, message: str, code: int, details: str = "") -> VolumeFacts:
        fault = Fault(message=message, code=code, details=details)
        try:
            return msgspec.structs.replace(await self._look(volume_id), fault=fault)
        except FileNotFoundError:
            return VolumeFacts(id=volume_id, size_gib=0, fault=fault)

    @contextlib.asynccontextmanager
    async def _alone(self, volume_id: str) -> AsyncIterator[None]:
        """One at a time changes a volume."""
        async with self._locks.setdefault(volume_id, asyncio.Lock()):
            yield


def _copy_mark(volume_id: str) -> str:
    """Names the snapshot by which a new volume is copied; no id, so it is never taken for an ordered one."""
    return f"copy-{volume_id}"
