"""Two hosts and a wire between them: one network reaches over both, and each serves its own guests."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.guest_image import tiny_image
from tests.support.real_cloud import Cloud, Host, clean_environment, eventually
from tests.support.tenants import Tenant
from tests.support.traces import ends_as, nothing_is_left, settled_traces, traces_of_node

pytestmark = pytest.mark.root

FIRST, SECOND = "198.51.100.1", "198.51.100.2"
WIRE = "rack0"
SETTINGS = f"""
node_name = "near"
host = "{FIRST}"
tunnel_address = "{FIRST}"
"""
METADATA = "curl -s -m 5 http://169.254.169.254/openstack/latest/meta_data.json"
LEASE = "sudo /bin/busybox udhcpc -i eth0 -n -q -t 5 -s /bin/true 2>&1"


@dataclass
class FarNode:
    """A host that joined the cloud of another."""

    host: Host
    state: Path

    def run_inside(self, network_id: str, *argv: str) -> str:
        """As one who sits in this network, on this host."""
        names = [name for name in self.host.run("ls", "/run/netns").split() if name.endswith(f"-qdhcp-{network_id}")]
        assert len(names) == 1
        return self.host.run("ip", "netns", "exec", names[0], *argv)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nothing reaches it, and it reaches nothing."""
        self.host.run("ip", "link", "set", WIRE, "down")
        try:
            yield
        finally:
            self.host.run("ip", "link", "set", WIRE, "up")


@pytest.fixture
def rack() -> Iterator[tuple[Cloud, FarNode]]:
    folder = Path(tempfile.mkdtemp(prefix="cml-", dir="/tmp"))
    folder.chmod(0o755)
    hosts: list[Host] = []
    joined: list[subprocess.Popen[bytes]] = []
    try:
        hosts += [Host(), Host()]
        connect(*hosts)
        (folder / "settings.toml").write_text(SETTINGS)
        cloud = Cloud(hosts[0], folder)
        cloud.up("--image", str(tiny_image()), "--config", str(folder / "settings.toml"))
        far = FarNode(hosts[1], folder / "far")
        with (folder / "far.log").open("wb") as log, hosts[0].entered():
            joined.append(join(cloud, far, log))
            yield cloud, far
    finally:
        for host in hosts:
            host.end()
        for process in joined:
            process.wait(10)
        shutil.rmtree(folder)


def connect(one: Host, other: Host) -> None:
    ends = ["type", "veth", "peer", "name", WIRE, "netns", str(other.pid)]
    subprocess.run(["ip", "link", "add", WIRE, "netns", str(one.pid), *ends], check=True, timeout=10)
    for host, address in ((one, FIRST), (other, SECOND)):
        host.run("ip", "addr", "add", f"{address}/24", "dev", WIRE)
        host.run("ip", "link", "set", WIRE, "up")


def join(cloud: Cloud, far: FarNode, log: Any) -> subprocess.Popen[bytes]:
    cumulet = [sys.executable, "-m", "cumulet"]
    token = cloud.host.run("env", f"CUMULET_CONFIG={cloud.state}/cumulet.toml", *cumulet, "node-token").strip()
    place = ["--state", str(far.state), "--name", "far", "--tunnel-address", SECOND, "--address", f"{SECOND}:5001"]
    argv = far.host.command([*cumulet, "node", "--join", f"http://{FIRST}:5000", "--token", token, *place])
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())
    client = cloud.client()

    def present() -> bool:
        assert process.poll() is None, (cloud.folder / "far.log").read_text()
        services = client.compute.services(host="far", binary="nova-compute")
        return any(service.state == "up" for service in services)

    eventually("the far node has joined", present, 30)
    return process


def test_a_network_over_two_nodes(rack: tuple[Cloud, FarNode]) -> None:
    cloud, far = rack
    client = cloud.client()
    client.network.find_security_group("default")  # made at the first look, and it stays
    before, idle = settled_traces(cloud), node_of(cloud.host, cloud.state)
    blue = Tenant(cloud, client, "blue")
    blue.allow(protocol="icmp")
    near = blue.server("one", availability_zone="nova:near")
    distant = blue.server("other", availability_zone="nova:far")
    assert [len(host.running("qemu-system-x86_64")) for host in (cloud.host, far.host)] == [1, 1]
    assert node_of(far.host, far.state) - idle, "what a guest leaves would not be seen"

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
    ends_as(lambda: node_of(far.host, far.state), idle)


def node_of(host: Host, state: Path) -> Counter[str]:
    """The traces of a node, whatever its namespace is called: one that carries nothing is like any other."""
    found = traces_of_node(host, state)
    return Counter(re.sub(r"\bcml[0-9a-f]{5}\b", "node", line) for line in found.elements())
