"""What happens to the content of a raw volume that is there: it grows, returns, is written over, and has snapshots."""

from __future__ import annotations

from pathlib import Path

from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.volume.failing import GIB, Impossible, must_fit
from cumulet.drivers.volume.raw.place import (
    COPY,
    MOMENT,
    REIMAGES,
    RESTORES,
    REVERTS,
    SNAPSHOT,
    RawPlace,
    count_of,
    header_of,
    volume,
)
from cumulet.drivers.volume.raw.store import State
from cumulet.lib.qcow2 import read_header


class RawContent:
    """Each verb may be begun again after a crash."""

    def __init__(self, place: RawPlace) -> None:
        self._place = place
        self._store = place.store

    async def match(self, spec: VolumeSpec) -> None:
        """Let it be as ordered."""
        await self._revert(spec)
        await self._reimage(spec)
        await self._restore(spec)
        await self._grow(spec)
        await self._match_snapshots(spec)

    async def _revert(self, spec: VolumeSpec) -> None:
        state = await self._store.state(volume(spec.id))
        if spec.reverts <= count_of(state, REVERTS):
            return
        if SNAPSHOT + spec.revert_to not in state.snapshots:
            raise Impossible(f"There is no snapshot {spec.revert_to} of this volume to return to.", 404)
        await self._place.must_be_free(spec.id, "it returns to a snapshot")
        await self._store.return_to(volume(spec.id), SNAPSHOT + spec.revert_to)
        await self._store.keep_word(volume(spec.id), REVERTS, str(spec.reverts))

    async def _reimage(self, spec: VolumeSpec) -> None:
        """Let it hold what the image holds, and nothing beyond."""
        state = await self._store.state(volume(spec.id))
        if spec.reimages <= count_of(state, REIMAGES):
            return
        if spec.image is None:
            raise Impossible("There is no image that this volume should be made of again.", 404)
        await self._place.must_be_free(spec.id, "it gets another image")
        image = Path(await self._place.images.path(spec.image))
        must_fit(read_header(image).virtual_size, state.size - header_of(state), "image")
        await self._write_over(spec, state, str(image), "qcow2")
        await self._store.keep_word(volume(spec.id), REIMAGES, str(spec.reimages))

    async def _restore(self, spec: VolumeSpec) -> None:
        """Let it hold what the backup held, and nothing beyond."""
        place, state = self._place, await self._store.state(volume(spec.id))
        if spec.restores <= count_of(state, RESTORES):
            return
        await place.must_be_free(spec.id, "a backup is restored to it")
        with place.parts.file(f"{spec.id}.raw") as part:
            await place.parts.fetch(place.supplies.backup(spec.restore_from), part, state.size - header_of(state))
            await self._write_over(spec, state, str(part), "raw")
            await self._store.keep_word(volume(spec.id), RESTORES, str(spec.restores))

    async def _write_over(self, spec: VolumeSpec, state: State, source: str, source_format: str) -> None:
        name, header = volume(spec.id), header_of(state)
        await self._store.blank(name, state.size - header)
        if header:
            await self._place.encrypt(name, spec.id, state.size - header, spec.key_bits)
        await self._place.fill(name, spec.id, source, source_format)

    async def _grow(self, spec: VolumeSpec) -> None:
        state, targets = await self._store.state(volume(spec.id)), self._place.targets
        if state.size - header_of(state) < spec.size_gib * GIB:
            if targets is not None and await targets.address(spec.id):
                raise Impossible("A target of iSCSI holds on to its volume's size; detach it before it grows.", 409)
            await self._store.resize(volume(spec.id), spec.size_gib * GIB + header_of(state))

    async def _match_snapshots(self, spec: VolumeSpec) -> None:
        name = volume(spec.id)
        there = (await self._store.state(name)).snapshots
        for mark in there:
            if mark.startswith((COPY, MOMENT)) and mark not in self._place.marks:
                await self._store.drop(name, mark)
        found = [mark.removeprefix(SNAPSHOT) for mark in there if mark.startswith(SNAPSHOT)]
        for snapshot in found:
            if snapshot not in spec.snapshots:
                if self._place.turns.is_kept(snapshot):
                    raise Impossible(f"A volume is being made from snapshot {snapshot}.", 409)
                await self._store.drop(name, SNAPSHOT + snapshot)
        for snapshot in spec.snapshots:
            if snapshot not in found:
                await self._place.take(spec.id, SNAPSHOT + snapshot)
