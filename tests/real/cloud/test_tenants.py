"""Two projects with the same addresses, and what groups and ports let through."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from openstack.connection import Connection

from tests.support.real_cloud import Cloud
from tests.support.tenants import Tenant

pytestmark = pytest.mark.root


@pytest.fixture
def blue(cloud: Cloud, client: Connection) -> Iterator[Tenant]:
    tenant = Tenant(cloud, client, "blue", "10.0.2.0/24")
    yield tenant
    tenant.leave()


@pytest.fixture
def green(cloud: Cloud) -> Iterator[Tenant]:
    tenant = Tenant(cloud, cloud.client("cumulet-demo"), "green", "10.0.2.0/24")
    yield tenant
    tenant.leave()


def test_tenants_do_not_notice_each_other(cloud: Cloud, blue: Tenant, green: Tenant) -> None:
    ours, theirs = blue.server("ours"), green.server("theirs")
    way_in, their_way_in = blue.reachable(ours), green.reachable(theirs)
    peer = blue.server("peer")
    cloud.ssh_answers(way_in)
    cloud.ssh_answers(their_way_in)
    assert fixed(ours) == fixed(theirs)
    assert cloud.ssh(way_in, "hostname") == "ours"
    assert cloud.ssh(their_way_in, "hostname") == "theirs"

    # Only SSH is let in; the group's own members only when a rule says so.
    assert not pings(way_in)
    assert not reaches(cloud, way_in, fixed(peer))
    blue.allow(protocol="icmp", remote_group_id=blue.group.id)
    assert reaches(cloud, way_in, fixed(peer))
    assert not pings(way_in)

    # A guest speaks with its own address only.
    forged = fixed(ours).rpartition(".")[0] + ".222"
    cloud.ssh(way_in, f"sudo /bin/busybox ip addr add {forged}/24 dev eth0")
    assert not reaches(cloud, way_in, fixed(peer), f"-I {forged}")
    assert reaches(cloud, way_in, fixed(peer))


def fixed(server: object) -> str:
    (addresses,) = server.addresses.values()  # type: ignore[attr-defined]
    return str(addresses[0]["addr"])


def pings(address: str) -> bool:
    return subprocess.run(["ping", "-c", "1", "-w", "2", address], capture_output=True, timeout=10).returncode == 0


def reaches(cloud: Cloud, source: str, destination: str, *options: str) -> bool:
    """Tried some times: a rule or a neighbour's boot may be a moment away, what is forbidden never comes."""
    ping = f"ping -c 1 -w 6 {' '.join(options)} {destination} > /dev/null && echo yes || echo no"
    return cloud.ssh(source, ping) == "yes"
