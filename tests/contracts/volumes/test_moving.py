"""Volumes that arrive from other nodes, and those that are taken over where they lie."""

from __future__ import annotations

import msgspec
import pytest

from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.volume.base import CopyFailed
from cumulet.lib.sparse import BrokenOff
from tests.support.volume_drivers import BIRCH, CEDAR, DRIVERS, LOCKED, MAPLE, MONDAY, Backend, ensured, of


async def test_what_is_there_is_taken_over_under_another_id(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,)))
    backend.write(MAPLE, "one")
    await backend.restart()
    spec = VolumeSpec(id=BIRCH, size_gib=2, adopt=MAPLE, snapshots=(MONDAY,))
    for _ in range(2):
        facts = await ensured(backend, spec)
        assert (facts.size_gib, facts.snapshots, facts.snapshot_sizes) == (2, (MONDAY,), (2,))
        assert backend.holds(BIRCH, "one")
    assert [facts.id for facts in await backend.volumes.found()] == [BIRCH]


@of("fake", *DRIVERS, "iscsi")
@pytest.mark.parametrize(("adopt", "code"), [(MAPLE, 409), (CEDAR, 404), (BIRCH, 404), (LOCKED, 400)])
async def test_what_cannot_be_taken_over_stays_where_it_is(backend: Backend, adopt: str, code: int) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    await ensured(backend, VolumeSpec(id=LOCKED, size_gib=1, encrypted=code == 400))
    backend.open(MAPLE, "machine")
    facts = await backend.volumes.ensure(VolumeSpec(id=BIRCH, size_gib=1, adopt=adopt))
    assert facts.fault is not None
    assert (facts.fault.code, facts.size_gib) == (code, 0)
    assert {facts.id: facts.encrypted for facts in await backend.volumes.found()} == {MAPLE: False, LOCKED: code == 400}


@of("fake", *DRIVERS)
async def test_a_volume_arrives_with_all_that_is_in_it(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2))
    backend.write(MAPLE, "one")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,)))
    spec = VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,), reverts=1, revert_to=MONDAY)
    await ensured(backend, spec)
    backend.write(MAPLE, "two")
    await backend.send(MAPLE, backend.volumes.file(MAPLE))
    await backend.volumes.remove(MAPLE)
    for _ in range(2):
        facts = await ensured(backend, msgspec.structs.replace(spec, arrives="file"))
        assert (facts.size_gib, facts.snapshots, facts.reverts) == (2, (MONDAY,), 1)
        assert backend.holds(MAPLE, "two")
    await ensured(backend, msgspec.structs.replace(spec, reverts=2))
    assert backend.holds(MAPLE, "one")


@of("fake", *DRIVERS)
async def test_nothing_arrives_of_what_breaks_off(backend: Backend) -> None:
    with pytest.raises(BrokenOff):
        await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=1, arrives="file"))
    assert await backend.volumes.found() == []


@of("fake", *DRIVERS)
async def test_an_open_volume_does_not_leave(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.open(MAPLE, "machine")
    for volume_id in (MAPLE, BIRCH, "../image"):
        with pytest.raises(CopyFailed):
            async with backend.volumes.file(volume_id):
                pass
