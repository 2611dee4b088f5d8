"""How volumes come to be, grow, are found, and go."""

from __future__ import annotations

import asyncio

import pytest

from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.volume.fake import FakeVolumes, VolumeWorld
from tests.support.supplies import Vault
from tests.support.volume_drivers import BIRCH, CEDAR, DRIVERS, IMAGE, MAPLE, MONDAY, TUESDAY, Backend, ensured, of


async def test_a_blank_volume_is_made_once_and_grows(backend: Backend) -> None:
    facts = await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    assert (facts.id, facts.size_gib, facts.snapshots, facts.connected_to) == (MAPLE, 1, (), ())
    assert backend.holds(MAPLE, "blank")
    backend.write(MAPLE, "one")
    assert (await ensured(backend, VolumeSpec(id=MAPLE, size_gib=3))).size_gib == 3
    assert backend.holds(MAPLE, "one")
    # It never shrinks: that would cut off what the guest has written.
    assert (await backend.volumes.ensure(VolumeSpec(id=MAPLE, size_gib=2))).size_gib == 3


async def test_a_volume_from_an_image_has_its_content_once(backend: Backend) -> None:
    spec = VolumeSpec(id=MAPLE, size_gib=1, image=IMAGE)
    assert (await ensured(backend, spec)).size_gib == 1
    assert backend.holds(MAPLE, backend.image_word())
    backend.write(MAPLE, "one")
    await ensured(backend, spec)
    assert backend.holds(MAPLE, "one")


async def test_a_copy_has_the_content_and_a_life_of_its_own(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    facts = await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2, volume_id=MAPLE))
    assert (facts.size_gib, facts.snapshots) == (2, ())
    backend.write(MAPLE, "two")
    assert backend.holds(BIRCH, "one")
    await backend.volumes.remove(MAPLE)
    assert backend.holds(BIRCH, "one")


async def test_a_copy_leaves_no_trace_in_its_source(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=1, volume_id=MAPLE))
    (facts,) = [one for one in await backend.volumes.found() if one.id == MAPLE]
    assert facts.snapshots == (MONDAY,)


@of("fake", *DRIVERS, "iscsi")
@pytest.mark.parametrize(
    ("spec", "code"),
    [
        pytest.param(VolumeSpec(id=MAPLE, size_gib=1, volume_id=BIRCH), 404, id="no such volume"),
        pytest.param(VolumeSpec(id=MAPLE, size_gib=1, volume_id=MAPLE), 404, id="a copy of itself"),
        pytest.param(VolumeSpec(id=MAPLE, size_gib=1, snapshot_id=MONDAY), 404, id="no such snapshot"),
        pytest.param(VolumeSpec(id=MAPLE, size_gib=1, volume_id=CEDAR), 400, id="smaller than its source"),
        pytest.param(VolumeSpec(id=MAPLE, size_gib=1, snapshot_id=TUESDAY), 400, id="smaller than its snapshot"),
        pytest.param(VolumeSpec(id=CEDAR, size_gib=3, reverts=1, revert_to=MONDAY), 404, id="back to nowhere"),
    ],
)
async def test_what_cannot_be_made_is_a_fault_and_leaves_nothing(backend: Backend, spec: VolumeSpec, code: int) -> None:
    await ensured(backend, VolumeSpec(id=CEDAR, size_gib=3, snapshots=(TUESDAY,)))
    facts = await backend.volumes.ensure(spec)
    assert facts.fault is not None
    assert facts.fault.code == code
    assert facts.digest == ""
    assert [one.id for one in await backend.volumes.found()] == [CEDAR]


async def test_volumes_are_found_after_a_restart_until_removed(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2))
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    await backend.restart()
    found = [(facts.id, facts.size_gib, facts.snapshots) for facts in await backend.volumes.found()]
    assert found == [(MAPLE, 1, (MONDAY,)), (BIRCH, 2, ())]
    await backend.volumes.remove(MAPLE)
    await backend.volumes.remove(MAPLE)
    assert [facts.id for facts in await backend.volumes.found()] == [BIRCH]


@of("fake", *DRIVERS, "iscsi")
async def test_many_at_once(backend: Backend) -> None:
    ids = [f"{number:08x}-3333-4000-8000-000000000000" for number in range(6)]
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    async with asyncio.TaskGroup() as group:
        for key in ids:
            group.create_task(ensured(backend, VolumeSpec(id=key, size_gib=1, volume_id=MAPLE)))
    assert all(backend.holds(key, "one") for key in ids)


async def test_capacity_is_told(backend: Backend) -> None:
    told = await backend.volumes.about()
    total, free = told.total_gib, told.free_gib
    assert (told.driver, told.fault) == (backend.volumes.name, "")
    assert total >= free > 0


async def test_the_fake_world_fills() -> None:
    volumes = FakeVolumes(VolumeWorld(capacity_gib=10), Vault())
    assert (await volumes.ensure(VolumeSpec(id=MAPLE, size_gib=6))).fault is None
    for spec in (
        VolumeSpec(id=BIRCH, size_gib=5),
        VolumeSpec(id=MAPLE, size_gib=11),
        VolumeSpec(id=MAPLE, size_gib=6, snapshots=(MONDAY,)),
    ):
        fault = (await volumes.ensure(spec)).fault
        assert fault is not None
        assert fault.code == 507
    told = await volumes.about()
    assert (told.total_gib, told.free_gib) == (10, 4)
