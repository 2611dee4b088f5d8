"""Volumes that machines of other nodes reach."""

from __future__ import annotations

import msgspec
import pytest

from cumulet.contracts.volumes import VolumeSpec, export_name
from cumulet.drivers.volume.base import EXPORT, CopyFailed
from tests.support.volume_drivers import BIRCH, BLUE, DRIVERS, MAPLE, MONDAY, RED, TUESDAY, Backend, ensured, of


@of("fake", *DRIVERS, "iscsi")
@pytest.mark.parametrize("encrypted", [False, True])
async def test_who_has_the_secret_of_an_export_reaches_the_volume(backend: Backend, encrypted: bool) -> None:
    plain = VolumeSpec(id=MAPLE, size_gib=1, encrypted=encrypted)
    assert (await ensured(backend, plain)).exported == ""
    backend.write(MAPLE, "one")
    spec = msgspec.structs.replace(plain, export_secret=RED)
    facts = await ensured(backend, spec)
    assert facts.connected_to == (EXPORT,)
    assert facts.exported.endswith(export_name(RED))
    assert RED not in facts.exported
    assert backend.lets_in(MAPLE, facts.exported, RED, "one")
    assert not backend.lets_in(MAPLE, facts.exported, BLUE, "one")
    assert await ensured(backend, spec) == facts
    await backend.restart()
    assert [found.exported for found in await backend.volumes.found()] == [facts.exported]
    assert await ensured(backend, spec) == facts
    assert backend.lets_in(MAPLE, facts.exported, RED, "one")

    # Another secret is another export; without one there is none.
    other = await ensured(backend, msgspec.structs.replace(plain, export_secret=BLUE))
    assert backend.lets_in(MAPLE, other.exported, BLUE, "one")
    assert not backend.lets_in(MAPLE, facts.exported, RED, "one")
    gone = await ensured(backend, plain)
    assert (gone.exported, gone.connected_to) == ("", ())
    assert not backend.lets_in(MAPLE, other.exported, BLUE, "one")
    assert backend.holds(MAPLE, "one")
    last = await ensured(backend, spec)
    await backend.volumes.remove(MAPLE)
    assert not backend.lets_in(MAPLE, last.exported, RED, "one")


@of("fake", *DRIVERS)
async def test_an_exported_volume_grows_and_has_snapshots_and_copies_but_does_not_return(backend: Backend) -> None:
    spec = VolumeSpec(id=MAPLE, size_gib=1, export_secret=RED)
    await ensured(backend, spec)
    taken = msgspec.structs.replace(spec, snapshots=(MONDAY, TUESDAY))
    assert set((await ensured(backend, taken)).snapshots) == {MONDAY, TUESDAY}
    taken = msgspec.structs.replace(spec, snapshots=(MONDAY,))
    assert (await ensured(backend, taken)).snapshots == (MONDAY,)
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1, snapshot_id=MONDAY))
    async with backend.volumes.copied(MAPLE, "raw", open_too=True) as copy:
        assert copy.exists()
    with pytest.raises(CopyFailed, match="in use"):
        async with backend.volumes.copied(MAPLE, "raw"):
            pass
    before = (await ensured(backend, taken)).exported
    taken = msgspec.structs.replace(taken, size_gib=2)
    larger = await ensured(backend, taken)
    assert (larger.size_gib, larger.exported) == (2, before)
    assert backend.lets_in(MAPLE, before, RED, "blank")
    back = await backend.volumes.ensure(msgspec.structs.replace(taken, reverts=1, revert_to=MONDAY))
    assert back.fault is not None
    assert (back.fault.code, back.reverts) == (409, 0)
    # Ended by the same order, the export is in nobody's way.
    free = VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,))
    assert (await ensured(backend, free)).size_gib == 2
