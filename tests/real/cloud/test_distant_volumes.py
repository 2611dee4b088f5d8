"""A server whose disks are in a pool of Ceph and at a target of iSCSI: it boots, they grow, and it moves live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from openstack.connection import Connection

from tests.real.cloud.test_volumes import gone, reaches
from tests.support.ceph import VOLUMES, Ceph, ceph
from tests.support.real_cloud import Cloud, eventually
from tests.support.real_rack import Rack, address, real_rack
from tests.support.tenants import Tenant

pytestmark = pytest.mark.root

_BACKENDS = """
[volumes.backends.local]
type = "files"
[volumes.backends.pool]
type = "rbd"
pool = "{pool}"
conf = "{conf}"
max_over_subscription_ratio = 10.0
"""
_TARGETS = """
[volumes.backends.lun]
type = "iscsi"
"""


@pytest.fixture
def cluster() -> list[Ceph]:
    """Of the rack, once it is there."""
    found: list[Ceph] = []
    return found


@pytest.fixture
def rack(cluster: list[Ceph]) -> Iterator[Rack]:
    with ExitStack() as running:

        def settings(place: int) -> str:
            if not cluster:
                cluster.append(running.enter_context(ceph(address(0))))
            text = _BACKENDS.format(pool=VOLUMES, conf=cluster[0].conf)
            return text + _TARGETS if place else text

        yield running.enter_context(real_rack(2, more=settings))


def test_a_server_lives_on_a_pool_and_a_target(rack: Rack, cluster: list[Ceph]) -> None:
    cloud, [far] = rack.cloud, rack.others
    client = cloud.client()
    for backend in ("pool", "lun"):
        kind = client.block_storage.create_type(name=backend)
        client.block_storage.update_type_extra_specs(kind, volume_backend_name=backend)
    image = client.image.find_image("tiny").id
    root = volume(client, "pool", image_id=image)
    grows, lun = volume(client, "pool"), volume(client, "lun")
    assert client.block_storage.get_volume(lun.id).host == "far@lun#lun"
    blue = Tenant(cloud, client, "blue")
    disk = {"boot_index": 0, "uuid": root.id, "source_type": "volume", "destination_type": "volume"}
    server = blue.server("one", image="", block_device_mapping=[disk], availability_zone="nova:near")
    place = blue.reachable(server)
    cloud.ssh_answers(place)
    for one in (grows, lun):
        client.compute.create_volume_attachment(server, volume_id=one.id)
        reaches(client, one, "in-use")
        eventually("the guest sees it", partial(device, cloud, place, one))
        say(cloud, place, one)

    client.block_storage.extend_volume(grows, 2)
    look = f"cat /sys/block/{device(cloud, place, grows)}/size"
    eventually("the guest sees that it has grown", lambda: int(cloud.ssh(place, look)) == 2 << 21)
    kept = client.block_storage.create_snapshot(volume_id=grows.id, is_forced=True)
    eventually("the snapshot is taken", lambda: client.block_storage.get_snapshot(kept.id).status == "available")

    known = secrets(cluster[0])
    for host in (cloud.host, far.host):
        assert not [word for word in known if word in f"{host.processes()} {rack.logs()}"]
    guest = cloud.host.running("qemu-system-x86_64")[0]
    assert not cloud.host.run("nsenter", "-t", str(guest), "--net", "ss", "-Htn").strip(), "QEMU is on the network"

    client.compute.live_migrate_server(server.id, host="far", block_migration="auto")
    assert blue.become(server, "ACTIVE").compute_host == "far", rack.logs()[-3000:]
    for one in (grows, lun):
        assert hears(cloud, place, one) == one.id
    # A copy of the moment of the snapshot is there at once, and outlives what it was made of.
    copy = volume(client, "pool", size=2, snapshot_id=kept.id)
    blue.leave()
    client.block_storage.delete_snapshot(kept.id)
    eventually("the snapshot is gone", lambda: not list(client.block_storage.snapshots()))
    for one in (root, grows, lun, copy):
        client.block_storage.delete_volume(one.id)
        eventually("the volume is gone", partial(gone, client, one))
    eventually("the pool is empty", lambda: not cluster[0].run("rbd", "ls", VOLUMES).split())
    assert not any(host.running("qemu-storage-daemon") for host in (cloud.host, far.host))


def volume(client: Connection, kind: str, *, size: int = 1, **source: Any) -> Any:
    made = client.block_storage.create_volume(size=size, volume_type=kind, **source)
    reaches(client, made, "available")
    return made


def device(cloud: Cloud, place: str, one: Any) -> str:
    """What the guest calls a volume."""
    found = cloud.ssh(place, f"grep -l {one.id[:20]} /sys/block/vd*/serial || true")
    return found.split("/")[3] if found else ""


def say(cloud: Cloud, place: str, one: Any) -> None:
    words = f"echo {one.id} | sudo dd of=/dev/{device(cloud, place, one)} conv=fsync,sync 2>/dev/null"
    cloud.ssh(place, words, 60)


def hears(cloud: Cloud, place: str, one: Any) -> str:
    words = f"sudo dd if=/dev/{device(cloud, place, one)} count=1 iflag=direct 2>/dev/null | tr -d '\\0'"
    return cloud.ssh(place, words, 60).strip()


def secrets(cluster: Ceph) -> list[str]:
    return [cluster.run("ceph-authtool", "-p", "-n", "client.cinder", str(cluster.conf.parent / "keyring")).strip()]
