"""Two hosts and a wire between them: one network reaches over both, and each serves its own guests."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from openstack.connection import Connection

from cumulet.lib.qcow2 import read_header
from tests.support.real_cloud import eventually
from tests.support.real_rack import Rack, real_rack
from tests.support.tenants import Tenant
from tests.support.traces import ends_as, nothing_is_left, settled_traces, traces_of_any_node

pytestmark = pytest.mark.root

METADATA = "curl -s -m 5 http://169.254.169.254/openstack/latest/meta_data.json"
LEASE = "sudo /bin/busybox udhcpc -i eth0 -n -q -t 5 -s /bin/true 2>&1"


@pytest.fixture
def rack() -> Iterator[Rack]:
    with real_rack(2) as rack:
        yield rack


def test_a_network_over_two_nodes(rack: Rack) -> None:
    cloud, [far] = rack.cloud, rack.others
    client = cloud.client()
    client.network.find_security_group("default")  # made at the first look, and it stays
    a_volume_moves(rack, client)  # volumes have a type, which is made with the first one and stays
    before, idle = settled_traces(cloud), traces_of_any_node(cloud.host, cloud.state)
    blue = Tenant(cloud, client, "blue")
    blue.allow(protocol="icmp")
    near = blue.server("one", availability_zone="nova:near")
    distant = blue.server("other", availability_zone="nova:far")
    assert [len(host.running("qemu-system-x86_64")) for host in (cloud.host, far.host)] == [1, 1]
    assert traces_of_any_node(far.host, far.state) - idle, "what a guest leaves would not be seen"

    address = blue.reachable(near)
    cloud.ssh_answers(address)
    other = client.compute.get_server(distant.id).addresses["blue"][0]["addr"]
    banner = f"echo | nc -w 2 {other} 22 | head -c 7"
    eventually("the distant server has booted", lambda: cloud.ssh(address, banner) == "SSH-2.0", 60)
    assert " 0% packet loss" in cloud.ssh(address, f"sudo ping -c 2 -W 5 {other}")
    assert "cumulet-guest" in str(client.compute.get_server_console_output(distant)["output"])

    with far.alone():
        login = cloud.ssh_argv(other, f"{METADATA}; echo; {LEASE}", 10)
        described, *lease = far.run_inside(blue.network.id, *login).strip().splitlines()
    assert json.loads(described)["uuid"] == distant.id
    assert any(f"lease of {other} obtained" in line for line in lease), lease

    blue.leave()
    nothing_is_left(cloud, before)
    ends_as(lambda: traces_of_any_node(far.host, far.state), idle)


def a_volume_moves(rack: Rack, client: Connection) -> None:
    """From the node that has it to the other, with its snapshot."""
    storage = client.block_storage
    volume = storage.create_volume(size=1, name="moving")
    eventually("the volume is there", lambda: storage.get_volume(volume.id).status == "available")
    snapshot = storage.create_snapshot(volume_id=volume.id)
    eventually("its snapshot is there", lambda: storage.get_snapshot(snapshot.id).status == "available")
    states = {"near": rack.cloud.state, "far": rack.others[0].state}
    files = {name: state / "node" / "volumes" / f"{volume.id}.qcow2" for name, state in states.items()}
    (here,) = [name for name, file in files.items() if file.exists()]
    there = "far" if here == "near" else "near"
    storage.migrate_volume(volume.id, host=f"{there}@local#local")
    eventually("it has moved", lambda: storage.get_volume(volume.id).status == "available", 60)
    seen = storage.get_volume(volume.id)
    assert (seen.host, seen.migration_status) == (f"{there}@local#local", "success"), rack.logs()[-3000:]
    eventually("the old node has let go", lambda: not files[here].exists())
    assert snapshot.id in read_header(files[there]).snapshots
    storage.delete_snapshot(snapshot.id)
    eventually("the snapshot is gone", lambda: not list(storage.snapshots()))
    storage.delete_volume(volume.id)
    eventually("the volume is gone", lambda: not files[there].exists())
