"""Snapshots of volumes: taken, dropped, copied and returned to."""

from __future__ import annotations

from cumulet.contracts.volumes import VolumeSpec
from tests.support.volume_drivers import BIRCH, CEDAR, DRIVERS, MAPLE, MONDAY, RBD, TUESDAY, Backend, ensured, of


async def test_snapshots_are_exactly_those_ordered(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    spec = VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY, TUESDAY))
    assert (await ensured(backend, spec)).snapshots == (MONDAY, TUESDAY)
    assert (await ensured(backend, spec)).snapshots == (MONDAY, TUESDAY)
    assert (await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(TUESDAY,)))).snapshots == (TUESDAY,)


async def test_a_volume_from_a_snapshot_has_the_content_of_that_moment(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    backend.write(MAPLE, "two")
    # Its size is that of that moment, too.
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=5, snapshots=(MONDAY,)))
    assert (await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1, snapshot_id=MONDAY))).size_gib == 1
    assert backend.holds(BIRCH, "one")
    assert (await ensured(backend, VolumeSpec(id=CEDAR, size_gib=2, snapshot_id=MONDAY))).size_gib == 2


async def test_a_volume_returns_to_a_snapshot_once_for_each_time_it_is_asked(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    backend.write(MAPLE, "two")
    spec = VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,), reverts=1, revert_to=MONDAY)
    assert (await ensured(backend, spec)).reverts == 1
    assert backend.holds(MAPLE, "one")
    backend.write(MAPLE, "two")
    await backend.restart()
    await ensured(backend, spec)
    assert backend.holds(MAPLE, "two")
    again = VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,), reverts=2, revert_to=MONDAY)
    assert (await ensured(backend, again)).reverts == 2
    assert backend.holds(MAPLE, "one")


@of("fake", *DRIVERS, RBD)
async def test_an_open_volume_grows_and_has_snapshots_but_does_not_return_to_them(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.open(MAPLE, "machine")
    facts = await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,)))
    assert (facts.size_gib, facts.snapshots, facts.connected_to) == (2, (MONDAY,), ("machine",))
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2, volume_id=MAPLE))
    spec = VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,), reverts=1, revert_to=MONDAY)
    refused = await backend.volumes.ensure(spec)
    assert refused.fault is not None
    assert refused.fault.code == 409
    assert (refused.digest, refused.reverts) == ("", 0)
