"""What all work on the volumes of one store shares: its tools, who has a volume open, and whose turn it is."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cumulet.drivers.hypervisor.base import ImageFiles
from cumulet.drivers.volume.base import EXPORT, OpenVolumes, StorageSilent, Supplies
from cumulet.drivers.volume.failing import Impossible, NotThere
from cumulet.drivers.volume.parts import Parts
from cumulet.drivers.volume.raw.bench import TARGET, Bench, Place, into
from cumulet.drivers.volume.raw.store import State, Store
from cumulet.drivers.volume.raw.targets import Targets
from cumulet.drivers.volume.turns import AT_ONCE, Turns
from cumulet.lib.ids import is_uuid
from cumulet.lib.process import User
from cumulet.lib.qemu_img import Luks

VOLUME, PART, SNAPSHOT, COPY, MOMENT = "volume-", "part-", "snapshot-", "copy-", "moment-"
"""How names begin; an id follows."""
REVERTS, REIMAGES, RESTORES, HEADER = "cumulet.reverts", "cumulet.reimages", "cumulet.restores", "cumulet.header"
"""Words kept with a volume: how often something has happened to it, and the bytes before its content if encrypted."""
ELSEWHERE = "elsewhere"
"""Stands for machines of other nodes, and for whatever else has a volume open."""


class RawPlace:
    """One store, and a folder for what is being done with it."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        images: ImageFiles,
        supplies: Supplies,
        machines: OpenVolumes | None,
        targets: Targets | None,
        user: User | None,
        daemon_user: User | None,
    ) -> None:
        self.store = store
        self.images = images
        self.supplies = supplies
        self.targets = targets
        self.bench = Bench(folder / "bench", user, daemon_user)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
        self.turns = Turns()
        self.pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="raw-volumes")
        self.parts = Parts(folder / "parts", user, self.pool)
        self.marks: set[str] = set()
        """Snapshots that live as long as one copy of ours."""
        self._machines = machines

    async def state(self, volume_id: str) -> State | None:
        try:
            return await self.store.state(volume(volume_id))
        except NotThere:
            return None

    async def holders(self, volume_id: str) -> tuple[str, ...]:
        """Who has it open."""
        here = tuple(await self._machines.machines_with(volume_id)) if self._machines is not None else ()
        if here:
            return here
        if self.targets is not None and await self.targets.address(volume_id):
            return (EXPORT,)
        return (ELSEWHERE,) if await self.store.is_open(volume(volume_id)) else ()

    async def must_be_free(self, volume_id: str, before: str) -> None:
        """Raise Impossible for a volume that somebody has open."""
        if await self.holders(volume_id):
            raise Impossible(f"This volume is in use; detach it before {before}.", 409)

    async def take(self, volume_id: str, mark: str) -> None:
        if not self.store.moments and await self.holders(volume_id):
            raise Impossible("This backend takes no snapshots of volumes in use; detach it first.", 409)
        await self.store.take(volume(volume_id), mark)

    @contextlib.asynccontextmanager
    async def mark(self, volume_id: str, mark: str) -> AsyncIterator[str]:
        """A snapshot of now, for one copy. One that is left over goes with the next look at the volume."""
        self.marks.add(mark)
        try:
            async with self.turns.alone(volume_id):
                if mark not in (await self.store.state(volume(volume_id))).snapshots:
                    await self.take(volume_id, mark)
            try:
                yield mark
            finally:
                async with self.turns.alone(volume_id):
                    with contextlib.suppress(NotThere, StorageSilent):
                        await self.store.drop(volume(volume_id), mark)
        finally:
            self.marks.discard(mark)

    # ---- content -----------------------------------------------------------------------------------------------------

    async def on_bench(self, name: str, key_of: str, snapshot: str = "", *, read_only: bool = False) -> Place:
        """What lies in the store, with the key of the volume that it is, or will be."""
        state = await self.store.state(name)
        key = await self.supplies.volume_key(key_of) if HEADER in state.words else ""
        return Place(await self.store.opening(name, snapshot), key, read_only)

    async def encrypt(self, name: str, volume_id: str, size: int, key_bits: int) -> None:
        """Turn what is blank into an encrypted volume with this much content."""
        key = await self.supplies.volume_key(volume_id)
        await self.bench.format(await self.store.opening(name), size, Luks(key_bits), key)
        header = (await self.store.state(name)).size - size
        await self.store.keep_word(name, HEADER, str(header))

    async def fill(self, name: str, volume_id: str, source: str, source_format: str) -> None:
        """Give what is blank the content of a file."""
        # Where nothing was written yet, an encrypted volume is not zero.
        plain = HEADER not in (await self.store.state(name)).words
        async with self.turns.copies, self.bench.places(target=await self.on_bench(name, volume_id)) as found:
            await self.bench.carry(into(source, source_format, found[TARGET], blank=plain))


def volume(volume_id: str) -> str:
    """What a volume is called in its store."""
    if not is_uuid(volume_id):
        raise ValueError(f"not an id of a volume: {volume_id!r}")
    return VOLUME + volume_id


def part_of(volume_id: str) -> str:
    return PART + volume_id


def header_of(state: State) -> int:
    return int(state.words.get(HEADER) or 0)


def count_of(state: State, word: str) -> int:
    return int(state.words.get(word) or 0)
