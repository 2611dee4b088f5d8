"""How a raw volume comes to be: empty, from an image, a volume, a snapshot, another backend, or what lies there."""

from __future__ import annotations

import contextlib
from pathlib import Path

from cumulet.contracts.volumes import CONTENT, EMPTY, VolumeSpec
from cumulet.drivers.volume.failing import GIB, Impossible, NotThere, must_fit
from cumulet.drivers.volume.raw.bench import SOURCE, TARGET, into
from cumulet.drivers.volume.raw.place import (
    COPY,
    HEADER,
    REIMAGES,
    RESTORES,
    REVERTS,
    SNAPSHOT,
    VOLUME,
    RawPlace,
    header_of,
    part_of,
    volume,
)
from cumulet.lib.ids import is_uuid
from cumulet.lib.qcow2 import read_header


class RawMaking:
    """A volume appears when it is complete: it is made under another name and then renamed."""

    def __init__(self, place: RawPlace) -> None:
        self._place = place
        self._store = place.store

    async def make(self, spec: VolumeSpec) -> None:
        if spec.adopt:
            return await self._adopt(spec)
        part, size = part_of(spec.id), spec.size_gib * GIB
        # There may be one whose maker was cancelled.
        await self._store.remove(part)
        try:
            await self._fresh(part, spec)
            state = await self._store.state(part)
            if state.size - header_of(state) < size:
                await self._store.resize(part, size + header_of(state))
            await self._store.rename(part, volume(spec.id))
        except BaseException:
            await self._store.remove(part)
            raise

    async def _fresh(self, part: str, spec: VolumeSpec) -> None:
        if spec.arrives:
            await self._arrive(part, spec)
        elif spec.image is not None:
            image = Path(await self._place.images.path(spec.image))
            must_fit(read_header(image).virtual_size, spec.size_gib * GIB, "source")
            await self._blank(part, spec)
            await self._place.fill(part, spec.id, str(image), "qcow2")
        elif spec.snapshot_id:
            await self._copy_snapshot(part, spec)
        elif spec.volume_id:
            await self._copy_volume(part, spec)
        else:
            await self._blank(part, spec)

    async def _blank(self, part: str, spec: VolumeSpec) -> None:
        size = spec.size_gib * GIB
        await self._store.make(part, size)
        if spec.encrypted:
            await self._place.encrypt(part, spec.id, size, spec.key_bits)

    async def _arrive(self, part: str, spec: VolumeSpec) -> None:
        """Take it over from another backend. What was done there is not done again."""
        if spec.arrives == EMPTY:
            await self._blank(part, spec)
        elif spec.arrives == CONTENT:
            await self._fetch_content(part, spec)
        else:
            raise Impossible("Whole files cannot be kept here.", 400)
        for word, count in ((REVERTS, spec.reverts), (REIMAGES, spec.reimages), (RESTORES, spec.restores)):
            await self._store.keep_word(part, word, str(count) if count else "")

    async def _fetch_content(self, part: str, spec: VolumeSpec) -> None:
        with self._place.parts.file(f"{spec.id}.arriving") as file:
            await self._place.parts.fetch(self._place.supplies.volume_file(spec.id), file, spec.size_gib * GIB)
            await self._blank(part, spec)
            await self._place.fill(part, spec.id, str(file), "raw")

    async def _adopt(self, spec: VolumeSpec) -> None:
        if spec.adopt == spec.id:
            raise Impossible(f"There is no volume {spec.adopt} here to take over.", 404)
        async with self._place.turns.alone(spec.adopt):
            state = await self._place.state(spec.adopt)
            if state is None:
                raise Impossible(f"There is no volume {spec.adopt} here to take over.", 404)
            if await self._place.holders(spec.adopt):
                raise Impossible(f"Volume {spec.adopt} is in use.", 409)
            if HEADER in state.words:
                raise Impossible(f"Volume {spec.adopt} is encrypted, and nobody has its key.", 400)
            for word in (REVERTS, REIMAGES, RESTORES):
                await self._store.keep_word(volume(spec.adopt), word, "")
            await self._store.rename(volume(spec.adopt), volume(spec.id))

    async def _copy_volume(self, part: str, spec: VolumeSpec) -> None:
        """As the source is now: by a snapshot, so that who writes to it need not wait."""
        if spec.volume_id == spec.id or await self._place.state(spec.volume_id) is None:
            raise Impossible(f"There is no volume {spec.volume_id} here to copy.", 404)
        async with self._place.mark(spec.volume_id, COPY + spec.id) as mark:
            await self._copy(spec.volume_id, mark, part, spec)

    async def _copy_snapshot(self, part: str, spec: VolumeSpec) -> None:
        with self._place.turns.kept(spec.snapshot_id):
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
        place, state = self._place, await self._store.state(volume(source))
        header = header_of(state)
        if snapshot not in state.snapshots:
            raise NotThere(snapshot)
        must_fit(state.snapshots[snapshot] - header, spec.size_gib * GIB, "source")
        if bool(header) == spec.encrypted:
            await self._store.clone(volume(source), snapshot, part)
            if header:
                keys = [await place.supplies.volume_key(volume_id) for volume_id in (source, spec.id)]
                await place.bench.change_key(await self._store.opening(part), *keys)
                await self._store.keep_word(part, HEADER, str(header))
            return
        await self._blank(part, spec)
        read = await place.on_bench(volume(source), source, snapshot, read_only=True)
        async with (
            place.turns.copies,
            place.bench.places(source=read, target=await place.on_bench(part, spec.id)) as found,
        ):
            await place.bench.carry(into(found[SOURCE], "raw", found[TARGET], blank=not spec.encrypted))
