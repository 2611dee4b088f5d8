"""How a volume of files comes to be: empty, from an image, a volume, a snapshot, another node, or what lies there."""

from __future__ import annotations

import contextlib
from pathlib import Path

from cumulet.contracts.volumes import CONTENT, EMPTY, VolumeSpec
from cumulet.drivers.volume.failing import GIB, Impossible, must_fit
from cumulet.drivers.volume.files.folder import REIMAGES, RESTORES, REVERTS
from cumulet.drivers.volume.files.place import OPENINGS, FilePlace
from cumulet.drivers.volume.files.tool import NO_KEYS
from cumulet.lib import qemu_img
from cumulet.lib.qcow2 import read_header

_LARGEST_FILE = 1 << 50


def copy_mark(volume_id: str) -> str:
    """Names the snapshot by which a new volume is copied; no id, so it is never taken for an ordered one."""
    return f"copy-{volume_id}"


class Making:
    """A volume appears when it is complete: it is made in `parts` and then renamed."""

    def __init__(self, place: FilePlace) -> None:
        self._place = place

    async def make(self, spec: VolumeSpec) -> None:
        if spec.arrives:
            await self._arrive(spec)
        elif spec.adopt:
            await self._adopt(spec)
        else:
            await self._fresh(spec)

    async def _arrive(self, spec: VolumeSpec) -> None:
        """Take it over from another backend. What was done there is not done again."""
        place = self._place
        with place.parts.file(f"{spec.id}.arrived") as made:
            if spec.arrives == EMPTY:
                await self._make_empty(spec, made)
            elif spec.arrives == CONTENT:
                await self._fetch_content(spec, made)
            else:
                await place.parts.fetch(place.supplies.volume_file(spec.id), made, _LARGEST_FILE)
                header = read_header(made)
                if header.external_data or header.backed:
                    raise Impossible("The file of this volume names other files.", 400)
            for counter, count in ((REVERTS, spec.reverts), (REIMAGES, spec.reimages), (RESTORES, spec.restores)):
                await place.in_folder(place.folder.note_count, spec.id, counter, count)
            await place.in_folder(place.folder.add, made, spec.id)

    async def _fetch_content(self, spec: VolumeSpec, made: Path) -> None:
        """What it holds, in a new file of its size."""
        place, size = self._place, spec.size_gib * GIB
        with place.parts.file(f"{spec.id}.arriving") as part:
            await place.parts.fetch(place.supplies.volume_file(spec.id), part, size)
            await self._make_empty(spec, made)
            opened = {qemu_img.TARGET: spec.id} if spec.encrypted else NO_KEYS
            arguments, writes = qemu_img.write_over(part, "raw", made, encrypted=spec.encrypted), made.stat().st_size
            async with place.turns.copies:
                await place.tool.run(arguments, opened, seconds=qemu_img.LONG_SECONDS, writes=size + writes)

    async def _make_empty(self, spec: VolumeSpec, file: Path) -> None:
        luks, keys = self._place.tool.to_make(spec)
        await self._place.tool.run(qemu_img.create(file, spec.size_gib * GIB, luks), keys)

    async def _adopt(self, spec: VolumeSpec) -> None:
        place = self._place
        if spec.adopt == spec.id:
            raise Impossible(f"There is no volume {spec.adopt} here to take over.", 404)
        async with place.turns.alone(spec.adopt):
            if not place.folder.file(spec.adopt).exists():
                raise Impossible(f"There is no volume {spec.adopt} here to take over.", 404)
            if await place.machines_with(spec.adopt):
                raise Impossible(f"Volume {spec.adopt} is in use.", 409)
            if place.folder.is_encrypted(spec.adopt):
                raise Impossible(f"Volume {spec.adopt} is encrypted, and nobody has its key.", 400)
            await place.in_folder(place.folder.rename, spec.adopt, spec.id)

    async def _fresh(self, spec: VolumeSpec) -> None:
        place = self._place
        with place.parts.file(f"{spec.id}.qcow2") as part:
            if spec.image is not None:
                image = Path(await place.images.path(spec.image))
                await self._copy(image, "", read_header(image).virtual_size, part, spec)
            elif spec.snapshot_id:
                await self._copy_snapshot(spec.snapshot_id, part, spec)
            elif spec.volume_id:
                await self._copy_volume(spec, part)
            else:
                await self._make_empty(spec, part)
            await place.in_folder(place.folder.add, part, spec.id)

    async def _copy_volume(self, spec: VolumeSpec, part: Path) -> None:
        """Copy a volume as it is now, by a snapshot, so that its machine need not wait while we copy."""
        place, source, mark = self._place, spec.volume_id, copy_mark(spec.id)
        if source == spec.id:
            raise Impossible(f"There is no volume {source} here to copy.", 404)
        async with place.turns.alone(source):
            try:
                if mark not in place.folder.snapshots(source):
                    await place.take(source, mark)
                needed = place.folder.snapshots(source)[mark]
            except FileNotFoundError:
                raise Impossible(f"There is no volume {source} here to copy.", 404) from None
        await self._copy(place.folder.file(source), mark, needed, part, spec, of=source)
        async with place.turns.alone(source):
            await place.forget(source, mark)

    async def _copy_snapshot(self, snapshot: str, part: Path, spec: VolumeSpec) -> None:
        with self._place.turns.kept(snapshot):
            holder, needed = await self._holder(snapshot)
            await self._copy(self._place.folder.file(holder), snapshot, needed, part, spec, of=holder)

    async def _holder(self, snapshot: str) -> tuple[str, int]:
        """The volume that has this snapshot, and the size it had then. Looked for again, as in `FilePlace.convert`."""
        folder = self._place.folder
        for _ in range(OPENINGS):
            holder = await self._place.in_folder(folder.holder, snapshot)
            # The volume may be gone again, or have another id.
            with contextlib.suppress(FileNotFoundError):
                size = folder.snapshots(holder).get(snapshot) if holder is not None else None
                if holder is not None and size is not None:
                    return holder, size
        raise Impossible(f"There is no snapshot {snapshot} here.", 404)

    async def _copy(
        self, source: Path, snapshot: str, needed: int, part: Path, spec: VolumeSpec, *, of: str = ""
    ) -> None:
        """`of` is the volume whose file the source is; none: it is an image's."""
        size, tool = spec.size_gib * GIB, self._place.tool
        must_fit(needed, size, "source")
        luks, keys = tool.to_make(spec)
        try:
            to_read = tool.to_read(of) if of else NO_KEYS
        except FileNotFoundError:
            raise Impossible(f"There is no volume {of} here to copy.", 404) from None
        arguments = qemu_img.convert(
            source, "qcow2", part, snapshot=snapshot, shared=bool(snapshot), encrypted=bool(to_read), luks=luks
        )
        async with self._place.turns.copies:
            await self._place.convert(arguments, {**to_read, **keys}, size)
        # A copy of a snapshot gets the size that its volume has now; what it holds ends at `needed`.
        opened = {qemu_img.SOURCE: spec.id} if spec.encrypted else NO_KEYS
        await tool.run(qemu_img.resize(part, size, encrypted=spec.encrypted), opened)
