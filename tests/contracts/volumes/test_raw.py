"""What targets of iSCSI and pools of Ceph promise beyond what every driver does."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cumulet.contracts.volumes import CONTENT, VolumeSpec
from cumulet.drivers.volume.base import CopyFailed
from cumulet.lib import process
from cumulet.lib.sparse import BrokenOff, Parcel, parcel
from cumulet.lib.tgtd import Act, Mode, Tgtd
from tests.support.raw_volumes import RawBackend
from tests.support.servers import free_port
from tests.support.volume_drivers import BIRCH, CEDAR, MAPLE, MONDAY, RBD, RED, TUESDAY, Backend, ensured, of


@of("iscsi")
async def test_a_target_holds_on_to_its_volume_as_it_is(backend: Backend) -> None:
    spec = VolumeSpec(id=MAPLE, size_gib=1, export_secret=RED)
    await ensured(backend, spec)
    for wish in ({"snapshots": (MONDAY,)}, {"size_gib": 2}):
        facts = await backend.volumes.ensure(msgspec.structs.replace(spec, **wish))
        assert facts.fault is not None
        assert (facts.fault.code, facts.size_gib, facts.snapshots) == (409, 1, ())
    with pytest.raises(CopyFailed, match="in use"):
        async with backend.volumes.copied(MAPLE, "raw", open_too=True):
            pass
    free = VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,))
    assert (await ensured(backend, free)).size_gib == 2


@of("iscsi")
async def test_a_source_that_goes_while_it_is_copied_is_not_there(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    going = asyncio.ensure_future(backend.volumes.remove(MAPLE))
    await asyncio.sleep(0)
    facts = await backend.volumes.ensure(VolumeSpec(id=BIRCH, size_gib=1, volume_id=MAPLE))
    assert facts.fault is not None
    assert facts.fault.code == 404
    await going


async def test_a_daemon_that_ends_while_it_is_asked_has_no_targets(tmp_path: Path) -> None:
    class Dying(Tgtd):
        async def ask(self, mode: Mode, act: Act, words: Mapping[str, str] | None = None, **more: Any) -> str:
            identity = self.identity()
            if self.told and identity is not None:
                await process.kill(identity)
            return await super().ask(mode, act, words, **more)

        told = False

    folder = Path(tempfile.mkdtemp(prefix="cumulet-"))  # the test's own is too deep for sockets
    daemon = Dying(folder, f"127.0.0.1:{free_port()}", None)
    await daemon.ensure()
    assert await daemon.targets() == []
    daemon.told = True
    assert daemon.identity() is not None
    assert await daemon.targets() == []
    assert daemon.identity() is None
    shutil.rmtree(folder)


@of(RBD)
async def test_a_pool_keeps_what_clones_stand_on(backend: Backend) -> None:
    """However long the line of copies, all of it may go in any order, and nothing is left."""
    assert isinstance(backend, RawBackend)
    ids = [f"{number:08x}-5555-4000-8000-000000000000" for number in range(7)]
    await ensured(backend, VolumeSpec(id=ids[0], size_gib=1))
    backend.write(ids[0], "one")
    for source, copy in pairwise(ids):
        await ensured(backend, VolumeSpec(id=copy, size_gib=1, volume_id=source))
    for volume_id in ids[:-1]:
        await backend.volumes.remove(volume_id)
    assert backend.holds(ids[-1], "one")
    assert [facts.id for facts in await backend.volumes.found()] == [ids[-1]]
    await backend.volumes.remove(ids[-1])
    for _ in ids:
        await backend.volumes.found()  # each look takes away what nothing stands on any more
    assert backend.names() == []


@of(RBD)
async def test_whoever_has_a_volume_of_a_pool_open_is_seen(backend: Backend) -> None:
    assert isinstance(backend, RawBackend)
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    with backend.opened_elsewhere(MAPLE):
        (facts,) = await backend.volumes.found()
        assert facts.connected_to == ("elsewhere",)
        refused = await backend.volumes.ensure(
            VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,), reverts=1, revert_to=MONDAY)
        )
        assert refused.fault is not None
        assert (refused.fault.code, refused.reverts) == (409, 0)
        assert (await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY, TUESDAY)))).size_gib == 2
    about = await backend.volumes.about()
    assert (about.driver, about.protocol, about.opened, about.many) == ("rbd", "ceph", "rbd", True)
    assert about.cluster.endswith("-volumes")


@of("iscsi")
@pytest.mark.parametrize("encrypted", [False, True])
async def test_the_content_of_a_volume_arrives_from_another_backend(backend: Backend, encrypted: bool) -> None:
    assert isinstance(backend, RawBackend)
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1))
    backend.write(BIRCH, "one")
    async with backend.volumes.copied(BIRCH, "raw") as copy:
        await backend.send(MAPLE, data_of(copy))
    whole = await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=1, arrives="file"))
    assert whole.fault is not None
    assert (whole.fault.code, whole.size_gib) == (400, 0)
    spec = VolumeSpec(id=MAPLE, size_gib=1, arrives=CONTENT, reverts=2, encrypted=encrypted)
    for _ in range(2):
        facts = await ensured(backend, spec)
        assert (facts.size_gib, facts.reverts, facts.encrypted) == (1, 2, encrypted)
        assert backend.holds(MAPLE, "one")
    with pytest.raises(BrokenOff):
        await backend.volumes.ensure(VolumeSpec(id=CEDAR, size_gib=1, arrives=CONTENT))
    assert {facts.id for facts in await backend.volumes.found()} == {MAPLE, BIRCH}


@asynccontextmanager
async def data_of(file: Path) -> AsyncIterator[Parcel]:
    with file.open("rb") as opened:
        yield parcel(opened.fileno())
