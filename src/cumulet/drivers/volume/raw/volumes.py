"""Volumes of a store of raw bytes. What is made of something appears under its name when it is complete.

A copy shares what it can with its source, where the store lets it; so it is quick, and both may go in any order. That
of an encrypted volume is opened by a key of its own.
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
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.contracts.backends import Storage
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import COPY_FORMATS, VolumeFacts, VolumeSpec
from cumulet.drivers.hypervisor.base import ImageFiles, ImageUnusable, MachineFailed, Opening
from cumulet.drivers.volume.base import CopyFailed, OpenVolumes, StorageSilent, Supplies
from cumulet.drivers.volume.raw.bench import SOURCE, TARGET, Bench, Place, into, out_of
from cumulet.drivers.volume.raw.store import GIB, InUse, NoRoom, NotThere, State, Store
from cumulet.drivers.volume.raw.targets import EXPORT, Targets
from cumulet.drivers.volume.workplace import Impossible
from cumulet.lib.ids import is_uuid, new_uuid
from cumulet.lib.process import User
from cumulet.lib.qcow2 import NotQcow2, read_header
from cumulet.lib.qemu_img import DiskBusy, DiskFull, Luks, NotReadable
from cumulet.lib.sparse import Parcel, receive
from cumulet.lib.storage_daemon import DaemonFailed
from cumulet.lib.whole_file import finished

VOLUME, PART, SNAPSHOT, COPY, MOMENT = "volume-", "part-", "snapshot-", "copy-", "moment-"
"""How names begin; an id follows."""
REVERTS, REIMAGES, RESTORES, HEADER = "cumulet.reverts", "cumulet.reimages", "cumulet.restores", "cumulet.header"
"""Words kept with a volume: how often something has happened to it, and the bytes before its content if encrypted."""
ELSEWHERE = "elsewhere"
"""Stands for machines of other nodes, and for whatever else has a volume open."""
_AT_ONCE = 2


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
        self._store = store
        self._images = images
        self._supplies = supplies
        self._machines = machines
        self._targets = targets
        self._user = user
        self._bench = Bench(folder / "bench", user, daemon_user)
        self._parts = folder / "parts"
        shutil.rmtree(self._parts, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
        self._parts.mkdir(mode=0o700)
        if user is not None:
            os.chown(self._parts, user.uid, user.gid)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"volumes-{name}")
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._sources: Counter[str] = Counter()
        self._marks: set[str] = set()
        """Snapshots that live as long as one copy of ours."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # ---- what is promised --------------------------------------------------------------------------------------------

    async def ensure(self, spec: VolumeSpec) -> VolumeFacts:
        async with self._alone(spec.id):
            try:
                await self._fulfil(spec)
            except Impossible as error:
                return await self._faulty(spec.id, str(error), error.code)
            except ImageUnusable as error:
                return await self._faulty(spec.id, str(error), 400)
            except (NoRoom, DiskFull) as error:
                return await self._faulty(spec.id, "The backend of this volume has no room left.", 507, str(error))
            except (InUse, DiskBusy) as error:
                return await self._faulty(spec.id, "This volume or its source is in use.", 409, str(error))
            except (MachineFailed, DaemonFailed) as error:
                return await self._faulty(spec.id, str(error), 500, error.details)
            except (NotReadable, NotQcow2) as error:
                return await self._faulty(spec.id, "This volume's data or its source's is damaged.", 500, str(error))
            return msgspec.structs.replace(await self._look(spec.id), digest=digest_of(spec))

    async def remove(self, volume_id: str) -> None:
        async with self._alone(volume_id):
            if self._targets is not None:
                await self._targets.end(volume_id)
            for name in (_part(volume_id), _volume(volume_id)):
                await self._store.remove(name)

    async def let_go(self, volume_id: str) -> None:
        if self._targets is not None:
            await self._targets.end(volume_id)

    @contextlib.asynccontextmanager
    async def copied(
        self, volume_id: str, disk_format: str, *, snapshot_id: str = "", open_too: bool = False
    ) -> AsyncIterator[Path]:
        state = await self._state(volume_id) if is_uuid(volume_id) else None
        if state is None:
            raise CopyFailed(f"there is no volume {volume_id[:64]!r} here")
        if HEADER in state.words:
            raise CopyFailed(f"volume {volume_id} is encrypted; its content leaves this node by its machine only")
        if disk_format not in COPY_FORMATS:
            raise CopyFailed(f"{disk_format[:64]!r} is none of {', '.join(COPY_FORMATS)}")
        part = self._parts / f"{new_uuid()}.copy"
        try:
            async with self._readable(volume_id, snapshot_id, open_too=open_too) as snapshot, self._turns:
                opening = await self._store.opening(_volume(volume_id), snapshot)
                async with self._bench.places(source=Place(opening, read_only=True)) as found:
                    await self._bench.carry(out_of(found[SOURCE], part, disk_format), state.size)
            yield part
        except DiskFull as error:
            raise CopyFailed("there is no room for a copy here") from error
        except (DiskBusy, InUse) as error:
            raise CopyFailed(f"volume {volume_id} is in use") from error
        except (DaemonFailed, NotReadable, NotThere) as error:
            raise CopyFailed(f"the data of volume {volume_id} cannot be read") from error
        finally:
            part.unlink(missing_ok=True)

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

    async def about(self) -> Storage:
        return await self._store.about()

    async def opening(self, volume_id: str) -> Opening:
        """How a machine's relay opens it. Raises `MachineFailed`."""
        try:
            await self._store.state(_volume(volume_id))
            return await self._store.opening(_volume(volume_id))
        except NotThere:
            raise MachineFailed(f"There is no volume {volume_id} in its backend.") from None
        except StorageSilent as error:
            raise MachineFailed(f"The backend of volume {volume_id} cannot be reached.", str(error)) from error

    async def halt(self) -> None:
        """Serve nothing any more, as a host does before it goes down itself."""
        await self._bench.clear()
        if self._targets is not None:
            await self._targets.halt()

    def close(self) -> None:
        """Let go of threads and connections."""
        self._pool.shutdown()
        self._store.close()

    # ---- one order ---------------------------------------------------------------------------------------------------

    async def _fulfil(self, spec: VolumeSpec) -> None:
        for name in spec.snapshots:
            if not is_uuid(name):
                raise ValueError(f"not an id of a snapshot: {name!r}")
        if await self._state(spec.id) is None:
            await (self._adopt(spec) if spec.adopt else self._make(spec))
        if self._targets is not None and not spec.export_secret:
            await self._targets.end(spec.id)
        await self._revert(spec)
        await self._reimage(spec)
        await self._restore(spec)
        await self._grow(spec)
        await self._match_snapshots(spec)
        if self._targets is not None and spec.export_secret:
            await self._targets.ensure(spec.id, await self._store.path(_volume(spec.id)), spec.export_secret)

    async def _adopt(self, spec: VolumeSpec) -> None:
        async with self._alone(spec.adopt) if spec.adopt != spec.id else contextlib.nullcontext():
            state = await self._state(spec.adopt)
            if state is None:
                raise Impossible(f"There is no volume {spec.adopt} here to take over.", 404)
            if await self._holders(spec.adopt):
                raise Impossible(f"Volume {spec.adopt} is in use.", 409)
            if HEADER in state.words:
                raise Impossible(f"Volume {spec.adopt} is encrypted, and nobody has its key.", 400)
            for word in (REVERTS, REIMAGES, RESTORES):
                await self._store.keep_word(_volume(spec.adopt), word, "")
            await self._store.rename(_volume(spec.adopt), _volume(spec.id))

    async def _make(self, spec: VolumeSpec) -> None:
        part, size = _part(spec.id), spec.size_gib * GIB
        # There may be one whose maker was cancelled.
        await self._store.remove(part)
        try:
            if spec.image is not None:
                image = Path(await self._images.path(spec.image))
                needed = read_header(image).virtual_size
                _must_fit(needed, spec.size_gib, "source")
                await self._make_blank(part, spec)
                await self._fill(part, str(image), "qcow2", spec)
            elif spec.snapshot_id:
                await self._copy_snapshot(part, spec)
            elif spec.volume_id:
                await self._copy_volume(part, spec)
            else:
                await self._make_blank(part, spec)
            state = await self._store.state(part)
            if state.size - _header(state) < size:
                await self._store.resize(part, size + _header(state))
            await self._store.rename(part, _volume(spec.id))
        except BaseException:
            await self._store.remove(part)
            raise

    async def _make_blank(self, name: str, spec: VolumeSpec) -> None:
        size = spec.size_gib * GIB
        await self._store.make(name, size)
        if spec.encrypted:
            await self._encrypt(name, size, spec)

    async def _encrypt(self, name: str, size: int, spec: VolumeSpec) -> None:
        """Turn what is blank into an encrypted volume with this much content."""
        key = await self._supplies.volume_key(spec.id)
        await self._bench.format(await self._store.opening(name), size, Luks(spec.key_bits), key)
        header = (await self._store.state(name)).size - size
        await self._store.keep_word(name, HEADER, str(header))

    async def _fill(self, name: str, source: str, source_format: str, spec: VolumeSpec) -> None:
        """Give what is blank the content of a file."""
        async with self._turns, self._bench.places(target=await self._place(name, spec.id)) as found:
            # Where nothing was written yet, an encrypted volume is not zero.
            plain = HEADER not in (await self._store.state(name)).words
            await self._bench.carry(into(source, source_format, found[TARGET], blank=plain))

    async def _place(self, name: str, key_of: str, snapshot: str = "", *, read_only: bool = False) -> Place:
        """A volume on the bench, with the key of the volume that it is, or will be."""
        state = await self._store.state(name)
        key = await self._supplies.volume_key(key_of) if HEADER in state.words else ""
        return Place(await self._store.opening(name, snapshot), key, read_only)

    async def _copy_volume(self, part: str, spec: VolumeSpec) -> None:
        """As the source is now: by a snapshot, so that who writes to it need not wait."""
        mark = COPY + spec.id
        if spec.volume_id == spec.id or await self._state(spec.volume_id) is None:
            raise Impossible(f"There is no volume {spec.volume_id} here to copy.", 404)
        async with self._mark(spec.volume_id, mark):
            await self._copy(spec.volume_id, mark, part, spec)

    async def _copy_snapshot(self, part: str, spec: VolumeSpec) -> None:
        with self._kept(spec.snapshot_id):
            holder = await self._holder(spec.snapshot_id)
            if holder is None:
                raise Impossible(f"There is no snapshot {spec.snapshot_id} here.", 404)
            await self._copy(holder, SNAPSHOT + spec.snapshot_id, part, spec)

    async def _holder(self, snapshot_id: str) -> str | None:
        """The volume that has this snapshot."""
        for name in await self._store.names():
            if name.startswith(VOLUME) and is_uuid(name.removeprefix(VOLUME)):
                with contextlib.suppress(NotThere):
                    if SNAPSHOT + snapshot_id in (await self._store.state(name)).snapshots:
                        return name.removeprefix(VOLUME)
        return None

    async def _copy(self, source: str, snapshot: str, part: str, spec: VolumeSpec) -> None:
        state = await self._store.state(_volume(source))
        header = _header(state)
        _must_fit(state.snapshots[snapshot] - header, spec.size_gib, "source")
        if bool(header) == spec.encrypted:
            await self._store.clone(_volume(source), snapshot, part)
            if header:
                keys = [await self._supplies.volume_key(volume_id) for volume_id in (source, spec.id)]
                await self._bench.change_key(await self._store.opening(part), *keys)
                await self._store.keep_word(part, HEADER, str(header))
            return
        await self._make_blank(part, spec)
        read = await self._place(_volume(source), source, snapshot, read_only=True)
        async with (
            self._turns,
            self._bench.places(source=read, target=await self._place(part, spec.id)) as found,
        ):
            arguments = into(found[SOURCE], "raw", found[TARGET], blank=not spec.encrypted)
            await self._bench.carry(arguments)

    async def _revert(self, spec: VolumeSpec) -> None:
        state = await self._store.state(_volume(spec.id))
        if spec.reverts <= _count(state, REVERTS):
            return
        if SNAPSHOT + spec.revert_to not in state.snapshots:
            raise Impossible(f"There is no snapshot {spec.revert_to} of this volume to return to.", 404)
        await self._must_be_free(spec.id, "detach it before it returns to a snapshot")
        await self._store.return_to(_volume(spec.id), SNAPSHOT + spec.revert_to)
        await self._store.keep_word(_volume(spec.id), REVERTS, str(spec.reverts))

    async def _reimage(self, spec: VolumeSpec) -> None:
        """Let it hold what the image holds, and nothing beyond. Interrupted, it is begun again."""
        state = await self._store.state(_volume(spec.id))
        if spec.reimages <= _count(state, REIMAGES):
            return
        if spec.image is None:
            raise Impossible("There is no image that this volume should be made of again.", 404)
        await self._must_be_free(spec.id, "detach it before it gets another image")
        image = Path(await self._images.path(spec.image))
        _must_fit(read_header(image).virtual_size, (state.size - _header(state)) // GIB, "image")
        await self._write_over(spec, state, str(image), "qcow2")
        await self._store.keep_word(_volume(spec.id), REIMAGES, str(spec.reimages))

    async def _restore(self, spec: VolumeSpec) -> None:
        """Let it hold what the backup held, and nothing beyond. Interrupted, it is begun again."""
        state = await self._store.state(_volume(spec.id))
        if spec.restores <= _count(state, RESTORES):
            return
        await self._must_be_free(spec.id, "detach it before a backup is restored to it")
        part = self._parts / f"{spec.id}.raw"
        part.unlink(missing_ok=True)
        try:
            await self._fetch(self._supplies.backup(spec.restore_from), part, state.size - _header(state))
            await self._write_over(spec, state, str(part), "raw")
            await self._store.keep_word(_volume(spec.id), RESTORES, str(spec.restores))
        finally:
            part.unlink(missing_ok=True)

    async def _write_over(self, spec: VolumeSpec, state: State, source: str, source_format: str) -> None:
        name, header = _volume(spec.id), _header(state)
        await self._store.blank(name, state.size - header)
        if header:
            await self._encrypt(name, state.size - header, spec)
        await self._fill(name, source, source_format, spec)

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
        state = await self._store.state(_volume(spec.id))
        if state.size - _header(state) < spec.size_gib * GIB:
            if self._targets is not None and await self._targets.address(spec.id):
                raise Impossible(
                    "A target of iSCSI holds on to the size of its volume; detach it before it grows.", 409
                )
            await self._store.resize(_volume(spec.id), spec.size_gib * GIB + _header(state))

    async def _match_snapshots(self, spec: VolumeSpec) -> None:
        name = _volume(spec.id)
        there = (await self._store.state(name)).snapshots
        for mark in there:
            if mark.startswith((COPY, MOMENT)) and mark not in self._marks:
                await self._store.drop(name, mark)
        found = [mark.removeprefix(SNAPSHOT) for mark in there if mark.startswith(SNAPSHOT)]
        for snapshot in found:
            if snapshot not in spec.snapshots:
                if self._sources[snapshot]:
                    raise Impossible(f"A volume is being made from snapshot {snapshot}.", 409)
                await self._store.drop(name, SNAPSHOT + snapshot)
        for snapshot in spec.snapshots:
            if snapshot not in found:
                await self._take(spec.id, SNAPSHOT + snapshot)

    async def _take(self, volume_id: str, mark: str) -> None:
        if not self._store.moments and await self._holders(volume_id):
            raise Impossible("This backend takes no snapshots of volumes in use; detach it first.", 409)
        await self._store.take(_volume(volume_id), mark)

    # ---- moments -----------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _readable(self, volume_id: str, snapshot_id: str, *, open_too: bool) -> AsyncIterator[str]:
        """The snapshot to copy a volume by, kept as long as that takes; empty: nobody has the volume open."""
        if snapshot_id:
            mark = SNAPSHOT + snapshot_id
            if mark not in (await self._store.state(_volume(volume_id))).snapshots:
                raise CopyFailed(f"volume {volume_id} has no snapshot {snapshot_id[:64]!r}")
            with self._kept(snapshot_id):
                yield mark
        elif not await self._holders(volume_id):
            async with self._alone(volume_id):
                yield ""
        elif open_too and self._store.moments:
            async with self._mark(volume_id, MOMENT + new_uuid()) as mark:
                yield mark
        else:
            raise CopyFailed(f"volume {volume_id} is in use")

    @contextlib.contextmanager
    def _kept(self, snapshot: str) -> Iterator[None]:
        self._sources[snapshot] += 1
        try:
            yield
        finally:
            self._sources[snapshot] -= 1

    @contextlib.asynccontextmanager
    async def _mark(self, volume_id: str, mark: str) -> AsyncIterator[str]:
        """A snapshot of now, for one copy. One that is left over goes with the next look at the volume."""
        self._marks.add(mark)
        try:
            async with self._alone(volume_id):
                if mark not in (await self._store.state(_volume(volume_id))).snapshots:
                    await self._take(volume_id, mark)
            try:
                yield mark
            finally:
                async with self._alone(volume_id):
                    with contextlib.suppress(NotThere, StorageSilent):
                        await self._store.drop(_volume(volume_id), mark)
        finally:
            self._marks.discard(mark)

    # ---- looking -----------------------------------------------------------------------------------------------------

    async def _state(self, volume_id: str) -> State | None:
        try:
            return await self._store.state(_volume(volume_id))
        except NotThere:
            return None

    async def _holders(self, volume_id: str) -> tuple[str, ...]:
        here = tuple(await self._machines.machines_with(volume_id)) if self._machines is not None else ()
        if here:
            return here
        if self._targets is not None and await self._targets.address(volume_id):
            return (EXPORT,)
        return (ELSEWHERE,) if await self._store.is_open(_volume(volume_id)) else ()

    async def _must_be_free(self, volume_id: str, remedy: str) -> None:
        if await self._holders(volume_id):
            raise Impossible(f"This volume is in use; {remedy}.", 409)

    async def _look(self, volume_id: str) -> VolumeFacts:
        state = await self._store.state(_volume(volume_id))
        header = _header(state)
        snapshots = {
            name.removeprefix(SNAPSHOT): size for name, size in state.snapshots.items() if name.startswith(SNAPSHOT)
        }
        return VolumeFacts(
            id=volume_id,
            size_gib=-(-(state.size - header) // GIB),
            snapshots=tuple(snapshots),
            snapshot_sizes=tuple(-(-(size - header) // GIB) for size in snapshots.values()),
            encrypted=header > 0,
            reverts=_count(state, REVERTS),
            reimages=_count(state, REIMAGES),
            restores=_count(state, RESTORES),
            connected_to=await self._holders(volume_id),
            exported=await self._targets.address(volume_id) if self._targets is not None else "",
        )

    async def _faulty(self, volume_id: str, message: str, code: int, details: str = "") -> VolumeFacts:
        fault = Fault(message=message, code=code, details=details)
        try:
            return msgspec.structs.replace(await self._look(volume_id), fault=fault)
        except NotThere:
            return VolumeFacts(id=volume_id, size_gib=0, fault=fault)

    @contextlib.asynccontextmanager
    async def _alone(self, volume_id: str) -> AsyncIterator[None]:
        """One at a time changes a volume."""
        async with self._locks.setdefault(volume_id, asyncio.Lock()):
            yield


def _volume(volume_id: str) -> str:
    if not is_uuid(volume_id):
        raise ValueError(f"not an id of a volume: {volume_id!r}")
    return VOLUME + volume_id


def _part(volume_id: str) -> str:
    return PART + volume_id


def _header(state: State) -> int:
    return int(state.words.get(HEADER) or 0)


def _count(state: State, word: str) -> int:
    return int(state.words.get(word) or 0)


def _must_fit(needed: int, size_gib: int, what: str) -> None:
    if needed > size_gib * GIB:
        raise Impossible(f"{size_gib} GiB are too few: the {what} needs {-(-needed // GIB)} GiB.", 400)
