"""Several hosts at one switch: the first holds a cloud and a node of its own, the others join it.

`python -m tests.support.real_rack [--nodes N] COMMAND…` runs a command in the first host, with `OS_CLOUD` set; a
`{image}` in it is the path of the tests' guest. Everything is in namespaces of its own and ends with the command.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.guest_image import tiny_image
from tests.support.real_cloud import Cloud, Host, clean_environment, eventually

NAMES = ("near", "far", "third", "fourth")
WIRE = "rack0"
JOIN_SECONDS = 120.0
API_PORT, NODE_PORT = 5000, 5001
UNHEARD = (
    "add table inet unheard;"
    "add chain inet unheard out { type filter hook output priority 0; };"
    "add chain inet unheard in { type filter hook input priority 0; };"
    f"add rule inet unheard out tcp dport {API_PORT} drop; add rule inet unheard in tcp dport {NODE_PORT} drop;"
    f"add rule inet unheard in tcp sport {API_PORT} drop; add rule inet unheard out tcp sport {NODE_PORT} drop"
)
"""Rules of a host that is cut off from the control plane alone."""


STREET, PLUG = "street0", "wire0"
"""The switch outside, to which the first host is the router; and what each host has to it."""
STREET_ADDRESS = "172.24.4.1/24"


SHARE, SHARE_SOURCE = "share", "192.0.2.5:/volumes"
BACKENDS = f"""
[volumes.backends.local]
type = "files"
[volumes.backends.{SHARE}]
type = "nfs"
share = "{SHARE_SOURCE}"
"""


def address(place: int) -> str:
    """Of the host in this place of the rack."""
    return f"198.51.100.{place + 1}"


@dataclass
class FarNode:
    """A host that joined the cloud of another."""

    host: Host
    name: str
    state: Path
    log: Path
    argv: Sequence[str]
    process: subprocess.Popen[bytes]

    def kill_agent(self) -> None:
        """As the kernel does when memory runs out."""
        number = eventually(f"the agent of {self.name} runs", self._agent)
        self.host.run("kill", "-9", str(number))
        self.process.wait(10)

    def _agent(self) -> int:
        """The number, in its host, of the agent; 0: it has not begun, or has ended."""
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-3000:]
        number = int((self.state / "run" / "node.lock").read_text() or 0)
        return number if number in self.host.processes() else 0

    def lose_power(self) -> None:
        """The agent, its guests and all else of the host; `start_agent` is its return."""
        self.host.lose_power((WIRE, PLUG))
        self.process.wait(10)

    def start_agent(self) -> None:
        self.process = started(self.host, self.argv, self.log)

    def run_inside(self, network_id: str, *argv: str) -> str:
        """As one who sits in this network, on this host."""
        names = [name for name in self.host.run("ls", "/run/netns").split() if name.endswith(f"-qdhcp-{network_id}")]
        assert len(names) == 1
        return self.host.run("ip", "netns", "exec", names[0], *argv)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nothing reaches it, and it reaches nothing."""
        wires = [link for link in self.host.links() if link in (WIRE, PLUG)]
        for wire in wires:
            self.host.run("ip", "link", "set", wire, "down")
        try:
            yield
        finally:
            for wire in wires:
                self.host.run("ip", "link", "set", wire, "up")

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """The API and its agent do not reach each other; guests, and what goes between nodes, notice nothing."""
        self.host.run("nft", UNHEARD)
        try:
            yield
        finally:
            self.host.run("nft", "delete table inet unheard")


@dataclass
class Rack:
    """The cloud of the first host, and who joined it."""

    cloud: Cloud
    others: list[FarNode]

    def logs(self) -> str:
        """What anybody complained about."""
        texts = [self.cloud.logs(), *(far.log.read_text(errors="replace") for far in self.others)]
        return "\n".join(line for text in texts for line in text.splitlines() if " INFO " not in line)


@contextmanager
def real_rack(
    nodes: int = 2, *, street: bool = False, share: bool = False, more: Callable[[int], str] = lambda place: ""
) -> Iterator[Rack]:
    """A cloud of so many nodes that is up, and this thread in its first host's network. With a street, each node has a
    wire to the network outside; else floating IPs are the first host's. With a share, each has a backend of that name,
    of one storage. `more` tells what else is set for the host in a place, once all hosts are there; it may start what
    that speaks of, in the first one's network."""
    folder = Path(tempfile.mkdtemp(prefix="cml-", dir="/tmp"))
    folder.chmod(0o755)
    hosts: list[Host] = []
    others: list[FarNode] = []
    try:
        if share:
            _mount(folder)
        hosts += [Host() for _ in range(nodes)]
        if share:
            _give(hosts, folder)
        _connect(hosts)
        if street:
            _open_street(hosts)
        with hosts[0].entered():
            settings = [folder / f"{NAMES[place]}.toml" for place in range(nodes)]
            for place, file in enumerate(settings):
                file.write_text((BACKENDS if share else "") + more(place))
        reached = f'tunnel_address = "{address(0)}"\nnode_address = "{address(0)}:{NODE_PORT}"\n'
        wires = f'wires = {{public = "{PLUG}"}}\n' if street else ""
        own = f'host = "{address(0)}"\nnode_name = "{NAMES[0]}"\n{reached}{wires}'
        settings[0].write_text(own + settings[0].read_text())
        cloud = Cloud(hosts[0], folder)
        cloud.up("--image", str(tiny_image()), "--config", str(settings[0]))
        with hosts[0].entered():
            for place, host in enumerate(hosts[1:], 1):
                others.append(_join(cloud, host, place, settings[place], street))
            for far in others:
                _await(cloud, far)
            yield Rack(cloud, others)
    finally:
        for host in hosts:
            host.end()
        for far in others:
            far.process.wait(10)
        if share:
            subprocess.run(["umount", str(folder / SHARE)], check=True, timeout=10)
        shutil.rmtree(folder)


def _connect(hosts: Sequence[Host]) -> None:
    """A switch in the first host, under the name that the others give their way to it."""
    first = hosts[0]
    first.run("ip", "link", "add", WIRE, "type", "bridge")
    for place, host in enumerate(hosts[1:], 1):
        ends = ["type", "veth", "peer", "name", WIRE, "netns", str(host.pid)]
        subprocess.run(["ip", "link", "add", f"rack{place}", "netns", str(first.pid), *ends], check=True, timeout=10)
        first.run("ip", "link", "set", f"rack{place}", "master", WIRE, "up")
    for place, host in enumerate(hosts):
        host.run("ip", "addr", "add", f"{address(place)}/24", "dev", WIRE)
        host.run("ip", "link", "set", WIRE, "up")


def _open_street(hosts: Sequence[Host]) -> None:
    first = hosts[0]
    first.run("ip", "link", "add", STREET, "type", "bridge")
    first.run("ip", "addr", "add", STREET_ADDRESS, "dev", STREET)
    for place, host in enumerate(hosts):
        ends = ["type", "veth", "peer", "name", PLUG, "netns", str(host.pid)]
        subprocess.run(
            ["ip", "link", "add", f"street{place + 1}", "netns", str(first.pid), *ends], check=True, timeout=10
        )
        first.run("ip", "link", "set", f"street{place + 1}", "master", STREET, "up")
    first.run("ip", "link", "set", STREET, "up")


def _mount(folder: Path) -> None:
    """What the kernel's client of NFS would mount, from memory."""
    (folder / SHARE).mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8g", SHARE_SOURCE, str(folder / SHARE)]
    subprocess.run(mount, check=True, timeout=10)


def _give(hosts: Sequence[Host], folder: Path) -> None:
    """Each node finds it mounted where it would mount it."""
    for host, state in zip(hosts, ("state", *NAMES[1:]), strict=False):
        point = folder / state / "node" / "mounts" / SHARE
        point.mkdir(parents=True)
        host.run("mount", "--bind", str(folder / SHARE), str(point))


def _join(cloud: Cloud, host: Host, place: int, settings: Path, street: bool) -> FarNode:
    cumulet = [sys.executable, "-m", "cumulet"]
    token = cloud.host.run("env", f"CUMULET_CONFIG={cloud.state}/cumulet.toml", *cumulet, "node-token").strip()
    name = NAMES[place]
    state, log = cloud.folder / name, cloud.folder / f"{name}.log"
    ways = ["--tunnel-address", address(place), "--address", f"{address(place)}:{NODE_PORT}"]
    who = ["--join", f"http://{address(0)}:{API_PORT}", "--token", token, "--state", str(state), "--name", name]
    wires = ["--wire", f"public={PLUG}"] if street else []
    argv = ["env", f"CUMULET_CONFIG={settings}", *cumulet, "node", *who, *ways, *wires]
    return FarNode(host, name, state, log, argv, started(host, argv, log))


def started(host: Host, argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """A program in a host, with what it says in a file."""
    with log.open("ab") as output:
        return subprocess.Popen(
            host.command(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=clean_environment()
        )


def _await(cloud: Cloud, far: FarNode) -> None:
    client = cloud.client()

    def present() -> bool:
        assert far.process.poll() is None, far.log.read_text()
        services = client.compute.services(host=far.name, binary="nova-compute")
        return any(service.state == "up" for service in services)

    eventually(f"the node {far.name} has joined", present, JOIN_SECONDS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="real_rack", description="Run a command beside a cloud of several nodes.")
    parser.add_argument("--nodes", type=int, default=2, choices=range(1, len(NAMES) + 1))
    parser.add_argument("--share", action="store_true", help="with a second backend, of a storage that all nodes reach")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    with real_rack(options.nodes, street=True, share=options.share) as rack:
        known = [f"OS_CLIENT_CONFIG_FILE={rack.cloud.state / 'clouds.yaml'}", "OS_CLOUD=cumulet"]
        given = [word.replace("{image}", str(tiny_image())) for word in options.command]
        done = subprocess.run(rack.cloud.host.command(["env", *known, *given]), env=clean_environment(), check=False)
        print(rack.logs()[-20000:], file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
