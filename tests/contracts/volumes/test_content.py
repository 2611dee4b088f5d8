"""What a volume holds: by an image, or encrypted."""

from __future__ import annotations

import msgspec
import pytest

from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.volume.base import CopyFailed
from tests.support.volume_drivers import BIRCH, DRIVERS, IMAGE, MAPLE, MONDAY, RBD, Backend, ensured, of


@of("fake", *DRIVERS, RBD)
async def test_an_encrypted_volume_has_the_life_of_any_other(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, encrypted=True, key_bits=256))
    backend.write(MAPLE, "one")
    spec = VolumeSpec(id=MAPLE, size_gib=2, encrypted=True, key_bits=256, snapshots=(MONDAY,))
    assert (await ensured(backend, spec)).size_gib == 2
    backend.write(MAPLE, "two")
    await ensured(backend, VolumeSpec(id=BIRCH, size_gib=2, encrypted=True, snapshot_id=MONDAY))
    assert backend.holds(BIRCH, "one")
    assert backend.holds(MAPLE, "two")
    with pytest.raises(CopyFailed):
        async with backend.volumes.copied(BIRCH, "raw"):
            pass
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=2, encrypted=True, key_bits=256))
    await backend.volumes.remove(MAPLE)
    assert [facts.id for facts in await backend.volumes.found()] == [BIRCH]


async def test_a_volume_gets_the_content_of_an_image_once_for_each_time_it_is_asked(backend: Backend) -> None:
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1))
    backend.write(MAPLE, "one")
    await ensured(backend, VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,)))
    spec = VolumeSpec(id=MAPLE, size_gib=1, image=IMAGE, snapshots=(MONDAY,), reimages=1)
    for _ in range(2):
        facts = await ensured(backend, spec)
        assert (facts.reimages, facts.snapshots) == (1, (MONDAY,))
    assert backend.holds(MAPLE, backend.image_word())
    backend.write(MAPLE, "two")
    await backend.restart()
    await ensured(backend, spec)
    assert backend.holds(MAPLE, "two")
    await ensured(backend, msgspec.structs.replace(spec, reimages=2))
    assert backend.holds(MAPLE, backend.image_word())
    await ensured(backend, msgspec.structs.replace(spec, reimages=2, reverts=1, revert_to=MONDAY))
    assert backend.holds(MAPLE, "one")
    backend.open(MAPLE, "machine")
    refused = await backend.volumes.ensure(msgspec.structs.replace(spec, reimages=3))
    assert refused.fault is not None
    assert (refused.fault.code, refused.reimages) == (409, 2)


# ---- exports -----------------------------------------------------------------------------------------------------
