"""Processes that are killed, a host that loses its power, and `down`: servers outlive what should not end them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openstack.connection import Connection

from tests.support.real_cloud import Cloud
from tests.support.tenants import Tenant

pytestmark = pytest.mark.root

QEMU = "qemu-system-x86_64"


@pytest.fixture
def blue(cloud: Cloud, client: Connection) -> Iterator[Tenant]:
    tenant = Tenant(cloud, client, "lasting", "10.0.1.0/24")
    yield tenant
    tenant.leave()


def test_servers_outlive_what_ends_around_them(cloud: Cloud, blue: Tenant) -> None:
    server = blue.server("oak")
    address = blue.reachable(server)
    cloud.ssh_answers(address)
    boot = cloud.ssh(address, "cat /proc/sys/kernel/random/boot_id; echo kept > kept; sync")
    machines = cloud.host.running(QEMU)

    for program in ("serve", "node"):
        cloud.kill(program)
        assert cloud.ssh(address, "cat /proc/sys/kernel/random/boot_id") == boot
        cloud.up()
        blue.become(server, "ACTIVE")
        assert cloud.ssh(address, "cat /proc/sys/kernel/random/boot_id") == boot
        assert cloud.host.running(QEMU) == machines

    cloud.host.lose_power()
    cloud.up()
    cloud.ssh_answers(address)
    assert cloud.ssh(address, "cat kept; cat /proc/sys/kernel/random/boot_id").split()[0] == "kept"
    blue.become(server, "ACTIVE")

    cloud.down()
    programs = {argv[0].rpartition("/")[2] for argv in cloud.host.processes().values()}
    assert programs <= {"sh", "sleep"}
    assert not cloud.host.run("ls", "/run/netns").split()
    cloud.up()
    cloud.ssh_answers(address)
    assert cloud.ssh(address, "cat kept") == "kept"
    blue.become(server, "ACTIVE")
