"""A volume on storage that two hosts share: opened by a server on either, followed when it moves while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from openstack.connection import Connection

from tests.real.cloud.test_far_volumes import DAEMON, WORDS, write
from tests.real.cloud.test_volumes import gone, reaches
from tests.support.real_cloud import eventually
from tests.support.real_rack import SHARE, Rack, real_rack
from tests.support.tenants import Tenant

pytestmark = pytest.mark.root


@pytest.fixture
def rack() -> Iterator[Rack]:
    with real_rack(2, share=True) as rack:
        yield rack


def looks_after(client: Connection, volume_id: str) -> str:
    return str(client.block_storage.get_volume(volume_id).host)


def test_a_volume_of_two_hosts_moves_live_with_its_server(rack: Rack) -> None:
    cloud, [far] = rack.cloud, rack.others
    client = cloud.client()
    storage = client.block_storage
    storage.create_type(name="shared", extra_specs={"volume_backend_name": SHARE})
    assert SHARE in {pool.name.partition("#")[2] for pool in storage.backend_pools()}
    data = storage.create_volume(size=1, name="data", volume_type="shared")
    reaches(client, data, "available")
    blue = Tenant(cloud, client, "blue")
    server = blue.server("one", availability_zone="nova:near")
    address = blue.reachable(server)
    cloud.ssh_answers(address)

    client.compute.create_volume_attachment(server, volume_id=data.id)
    reaches(client, data, "in-use")
    eventually(
        "the guest sees it", partial(cloud.ssh, address, f"grep -l {data.id[:20]} /sys/block/vdb/serial || true")
    )
    assert looks_after(client, data.id) == f"near@{SHARE}#{SHARE}"
    assert not any(host.running(DAEMON) for host in (cloud.host, far.host)), "it is opened by the machine alone"
    write(cloud, address, 0)
    kept = storage.create_snapshot(volume_id=data.id, is_forced=True)
    eventually("the snapshot is taken", lambda: storage.get_snapshot(kept.id).status == "available")

    client.compute.live_migrate_server(server, host="far", block_migration="auto")
    eventually("it runs there", lambda: client.compute.get_server(server.id).compute_host == "far", 180)
    eventually("its volume is followed", lambda: looks_after(client, data.id) == f"far@{SHARE}#{SHARE}")
    cloud.ssh_answers(address)
    write(cloud, address, 1)
    show = "for place in 0 1; do sudo dd if=/dev/vdb skip=$place count=1 2>/dev/null | tr -d '\\0'; done"
    assert cloud.ssh(address, show, 60).split() == list(WORDS[:2])
    storage.extend_volume(data.id, 2)
    reaches(client, data, "in-use")
    eventually(
        "the guest sees it grow", lambda: cloud.ssh(address, "cat /sys/block/vdb/size", 60).split() == ["4194304"]
    )

    client.compute.delete_volume_attachment(server, data.id)
    reaches(client, data, "available")
    storage.delete_snapshot(kept.id)
    eventually("the snapshot is gone", lambda: not list(storage.snapshots()))
    # To a directory of one host, and back.
    for place in ("local", SHARE):
        kind = storage.create_type(name=f"at-{place}", extra_specs={"volume_backend_name": place})
        storage.retype_volume(data.id, kind.name, "on-demand")
        eventually(f"it is in {place}", partial(is_at, client, data.id, place))
    storage.delete_volume(data.id)
    eventually("the volume is gone", partial(gone, client, data))
    blue.leave()
    shared = cloud.folder / SHARE / "volumes"
    assert not list(shared.glob("*.qcow2"))


def is_at(client: Connection, volume_id: str, pool: str) -> bool:
    volume = client.block_storage.get_volume(volume_id)
    return bool(volume.status == "available" and volume.host.endswith(f"#{pool}"))
