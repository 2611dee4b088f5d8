"""A volume on one host and a server on another: written there while agents and daemons end, and read back at home."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from openstack.connection import Connection

from tests.real.cloud.test_volumes import gone, reaches
from tests.support.real_cloud import Cloud, eventually
from tests.support.real_rack import FarNode, Rack, real_rack
from tests.support.tenants import Tenant
from tests.support.traces import ends_as, nothing_is_left, settled_traces, traces_of_node

pytestmark = pytest.mark.root

DAEMON = "qemu-storage-daemon"
WORDS = ("monday", "tuesday", "wednesday", "thursday", "friday")


@pytest.fixture
def rack() -> Iterator[Rack]:
    with real_rack(2) as rack:
        yield rack


def test_a_volume_is_used_from_another_node_and_from_its_own(rack: Rack) -> None:
    cloud, [far] = rack.cloud, rack.others
    client = cloud.client()
    client.network.find_security_group("default")  # made at the first look, and it stays
    list(client.block_storage.types())  # so is the default one
    before, idle = settled_traces(cloud), held_by(far)
    data = volume_on(cloud, client, far.name)
    blue = Tenant(cloud, client, "blue")
    near = blue.server("one", availability_zone="nova:near")
    distant = blue.server("other", availability_zone="nova:far")
    address = blue.reachable(near)
    cloud.ssh_answers(address)

    client.compute.create_volume_attachment(near, volume_id=data.id)
    reaches(client, data, "in-use")
    find = partial(cloud.ssh, address, f"grep -l {data.id[:20]} /sys/block/vdb/serial || true")
    eventually("the guest sees it", find)
    ends = cloud.host, far.host
    assert [len(host.running(DAEMON)) for host in ends] == [1, 1]
    secret = secret_of(cloud, data.id)
    assert len(secret) == 64
    assert secret not in f"{[host.processes() for host in ends]} {rack.logs()}"
    guest = cloud.host.running("qemu-system-x86_64")[0]
    assert not cloud.host.run("nsenter", "-t", str(guest), "--net", "ss", "-Htn").strip(), "QEMU is on the network"

    write(cloud, address, 0)
    far.kill_agent()
    write(cloud, address, 1)
    far.start_agent()
    for place, host in ((2, far.host), (3, cloud.host)):
        [daemon] = host.running(DAEMON)
        eventually("its agent looks after it", partial(killed_and_back, host, daemon))
        write(cloud, address, place)
    cloud.kill("node")
    write(cloud, address, 4)
    cloud.up()

    kept = client.block_storage.create_snapshot(volume_id=data.id, is_forced=True)
    eventually("the snapshot is taken", lambda: client.block_storage.get_snapshot(kept.id).status == "available")
    client.compute.delete_volume_attachment(near, data.id)
    reaches(client, data, "available")
    eventually("the daemons have ended", lambda: not any(host.running(DAEMON) for host in ends))

    # At home it is a plain file again.
    client.compute.create_volume_attachment(distant, volume_id=data.id)
    reaches(client, data, "in-use")
    assert not any(host.running(DAEMON) for host in ends)
    other = client.compute.get_server(distant.id).addresses["blue"][0]["addr"]
    show = "for place in 0 1 2 3 4; do sudo dd if=/dev/vdb skip=$place count=1 2>/dev/null | tr -d '\\0'; done"
    said = far.run_inside(blue.network.id, *cloud.ssh_argv(other, show, 10))
    assert said.split() == list(WORDS)
    blue.leave()
    client.block_storage.delete_snapshot(kept.id)
    eventually("the snapshot is gone", lambda: not list(client.block_storage.snapshots()))
    client.block_storage.delete_volume(data.id)
    eventually("the volume is gone", partial(gone, client, data))
    nothing_is_left(cloud, before)
    ends_as(lambda: held_by(far), idle)


def held_by(far: FarNode) -> Counter[str]:
    """Processes and files of the node; what its networks stand on is made with the first of them, and made anew."""
    found = traces_of_node(far.host, far.state)
    return Counter(line for line in found.elements() if line.startswith(("process", "file")) and "network" not in line)


def volume_on(cloud: Cloud, client: Connection, node: str) -> Any:
    """A volume whose bytes are on this node."""
    for _ in range(6):
        made = client.block_storage.create_volume(size=1, name="data")
        reaches(client, made, "available")
        if client.block_storage.get_volume(made.id).host.partition("@")[0] == node:
            return made
        client.block_storage.delete_volume(made.id)
        eventually("the volume is gone", partial(gone, client, made))
    raise AssertionError(f"no volume comes to {node}")


def write(cloud: Cloud, address: str, place: int) -> None:
    """The guest writes a word, and knows that it is on the disk."""
    cloud.ssh(address, f"echo {WORDS[place]} | sudo dd of=/dev/vdb seek={place} conv=fsync,sync 2>/dev/null", 60)


def killed_and_back(host: Any, daemon: int) -> bool:
    """Whether another daemon has taken the place of this one, which is killed if it is still there."""
    running = host.running(DAEMON)
    if daemon in running:
        host.run("kill", "-9", str(daemon), check=False)
        return False
    return len(running) == 1


def secret_of(cloud: Cloud, volume_id: str) -> str:
    with sqlite3.connect(f"file:{cloud.state}/cumulet.db?mode=ro", uri=True, timeout=10) as connection:
        [(secret,)] = connection.execute("SELECT export_secret FROM block_storage_volumes WHERE id = ?", (volume_id,))
    return str(secret)
