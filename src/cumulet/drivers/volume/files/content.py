"""What a volume of files holds is replaced as a whole: by one of its snapshots, by an image, by a backup.

Each counts what was done, beside the file; interrupted, it is begun again.
"""

from __future__ import annotations

import os
from pathlib import Path

from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.volume.failing import Impossible, must_fit
from cumulet.drivers.volume.files.folder import REIMAGES, RESTORES, REVERTS
from cumulet.drivers.volume.files.place import FilePlace
from cumulet.drivers.volume.files.tool import NO_KEYS
from cumulet.lib import qemu_img
from cumulet.lib.qcow2 import read_header


class Content:
    """Does what the counters of an order ask for."""

    def __init__(self, place: FilePlace) -> None:
        self._place = place

    async def match(self, spec: VolumeSpec) -> None:
        await self._revert(spec)
        await self._reimage(spec)
        await self._restore(spec)

    async def _revert(self, spec: VolumeSpec) -> None:
        folder, tool = self._place.folder, self._place.tool
        if spec.reverts <= folder.count(spec.id, REVERTS):
            return
        if spec.revert_to not in folder.snapshots(spec.id):
            raise Impossible(f"There is no snapshot {spec.revert_to} of this volume to return to.", 404)
        await self._place.must_be_closed(spec.id, "it returns to a snapshot")
        file, keys = folder.file(spec.id), tool.to_read(spec.id)
        await tool.run(qemu_img.return_to_snapshot(file, spec.revert_to, encrypted=bool(keys)), keys)
        await self._note(spec.id, REVERTS, spec.reverts)

    async def _reimage(self, spec: VolumeSpec) -> None:
        """Let it hold what the image holds, and nothing beyond."""
        place = self._place
        if spec.reimages <= place.folder.count(spec.id, REIMAGES):
            return
        if spec.image is None:
            raise Impossible("There is no image that this volume should be made of again.", 404)
        await place.must_be_closed(spec.id, "it gets another image")
        image = Path(await place.images.path(spec.image))
        size = place.folder.virtual_size(spec.id)
        must_fit(read_header(image).virtual_size, size, "image")
        with place.parts.file(f"{spec.id}.image") as part:
            async with place.turns.copies:
                await place.convert(qemu_img.convert(image, "qcow2", part), NO_KEYS, size)
            await place.tool.run(qemu_img.resize(part, size))
            await self._write_over(part, "qcow2", spec.id)
            await self._note(spec.id, REIMAGES, spec.reimages)

    async def _restore(self, spec: VolumeSpec) -> None:
        """Let it hold what the backup held, and nothing beyond."""
        place = self._place
        if spec.restores <= place.folder.count(spec.id, RESTORES):
            return
        await place.must_be_closed(spec.id, "a backup is restored to it")
        size = place.folder.virtual_size(spec.id)
        with place.parts.file(f"{spec.id}.raw") as part:
            await place.parts.fetch(place.supplies.backup(spec.restore_from), part, size)
            os.truncate(part, size)
            await self._write_over(part, "raw", spec.id)
            await self._note(spec.id, RESTORES, spec.restores)

    async def _write_over(self, part: Path, part_format: str, volume_id: str) -> None:
        place = self._place
        file, keys = place.folder.file(volume_id), place.tool.to_write_over(volume_id)
        arguments = qemu_img.write_over(part, part_format, file, encrypted=bool(keys))
        writes = place.folder.virtual_size(volume_id) + file.stat().st_size
        async with place.turns.copies:
            await place.tool.run(arguments, keys, seconds=qemu_img.LONG_SECONDS, writes=writes)

    async def _note(self, volume_id: str, counter: str, count: int) -> None:
        await self._place.in_folder(self._place.folder.note_count, volume_id, counter, count)
