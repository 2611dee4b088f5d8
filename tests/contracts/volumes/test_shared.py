"""What nodes that share a storage promise each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.contracts.volumes import VolumeSpec
from cumulet.drivers.volume.base import CopyFailed
from cumulet.drivers.volume.files.volumes import FileVolumes
from cumulet.drivers.volume.nfs import NfsVolumes, cluster_of
from cumulet.lib.mounts import Mount, NotMounted
from tests.support.supplies import Vault
from tests.support.volume_drivers import BIRCH, MAPLE, MONDAY, OneImage

SHARE = "192.0.2.5:/export/volumes"


def node(folder: Path, name: str) -> NfsVolumes:
    """Another node that has mounted the same share."""

    def files(place: Path, parts: Path) -> FileVolumes:
        return FileVolumes(place, OneImage(folder), Vault(), parts=parts)

    async def mount(share: Mount) -> None:
        share.point.mkdir(exist_ok=True)

    return NfsVolumes(Mount("nfs", SHARE, "", folder / "share"), name, files, mount)


async def test_another_node_takes_over_what_one_has_made(tmp_path: Path) -> None:
    one, two = node(tmp_path, "one"), node(tmp_path, "two")
    spec = VolumeSpec(id=MAPLE, size_gib=1, snapshots=(MONDAY,))
    made = await one.ensure(spec)
    assert made.fault is None
    await one.let_go(MAPLE)
    assert await two.ensure(spec) == made
    grown = await two.ensure(VolumeSpec(id=MAPLE, size_gib=2, snapshots=(MONDAY,), reverts=0))
    assert (grown.size_gib, grown.snapshots) == (2, (MONDAY,))
    assert [facts.id for facts in await one.found()] == [MAPLE]
    copy = await two.ensure(VolumeSpec(id=BIRCH, size_gib=1, snapshot_id=MONDAY))
    assert copy.fault is None
    await two.remove(MAPLE)
    assert [facts.id for facts in await one.found()] == [BIRCH]
    for each in (one, two):
        each.close()


async def test_what_one_node_is_making_another_that_begins_leaves_alone(tmp_path: Path) -> None:
    one = node(tmp_path, "one")
    await one.about()
    [parts] = (tmp_path / "share" / "parts").iterdir()
    (parts / "half.qcow2").write_bytes(b"half")
    two = node(tmp_path, "two")
    await two.about()
    assert (parts / "half.qcow2").exists()
    again = node(tmp_path, "one")
    await again.about()
    assert not (parts / "half.qcow2").exists()
    for each in (one, two, again):
        each.close()


async def test_nodes_know_that_their_share_is_the_same(tmp_path: Path) -> None:
    one, two = node(tmp_path, "one"), node(tmp_path, "two")
    told = await one.about()
    assert told.cluster == (await two.about()).cluster == cluster_of(SHARE) == "nfs-192.0.2.5-export-volumes"
    assert (told.protocol, told.opened, told.many, told.fault) == ("nfs", "file", False, "")
    long = [cluster_of(f"server:/{'deep/' * 30}{end}") for end in ("a", "b")]
    assert len(set(long)) == 2
    assert all(len(word) <= 48 for word in long)
    for each in (one, two):
        each.close()


async def test_a_share_that_is_not_there_says_why_and_nothing_is_written_below_it(tmp_path: Path) -> None:
    async def refused(share: Mount) -> None:
        raise NotMounted(f"{share.source} could not be mounted: access denied")

    lost = NfsVolumes(
        Mount("nfs", SHARE, "", tmp_path / "share"), "one", lambda place, parts: pytest.fail("used"), refused
    )
    assert (await lost.about()).fault == f"{SHARE} could not be mounted: access denied"
    facts = await lost.ensure(VolumeSpec(id=MAPLE, size_gib=1))
    assert facts.fault is not None
    assert (facts.fault.code, facts.fault.message) == (503, "The share of this volume cannot be reached.")
    with pytest.raises(CopyFailed):
        async with lost.copied(MAPLE, "raw"):
            pass
    with pytest.raises(NotMounted):
        await lost.remove(MAPLE)
    assert not (tmp_path / "share").exists()
