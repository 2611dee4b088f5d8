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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.guest_image import tiny_image
from tests.support.real_cloud import Cloud, Host, clean_environment, eventually

NAMES = ("near", "far", "third", "fourth")
WIRE = "rack0"
JOIN_SECONDS = 60.0


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
        self.host.run("kill", "-9", (self.state / "run" / "node.lock").read_text())
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
        self.host.run("ip", "link", "set", WIRE, "down")
        try:
            yield
        finally:
            self.host.run("ip", "link", "set", WIRE, "up")


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
def real_rack(nodes: int = 2) -> Iterator[Rack]:
    """A cloud of so many nodes that is up, and this thread in its first host's network."""
    folder = Path(tempfile.mkdtemp(prefix="cml-", dir="/tmp"))
    folder.chmod(0o755)
    hosts: list[Host] = []
    others: list[FarNode] = []
    try:
        hosts += [Host() for _ in range(nodes)]
        _connect(hosts)
        settings = folder / "settings.toml"
        reached = f'tunnel_address = "{address(0)}"\nnode_address = "{address(0)}:5001"\n'
        settings.write_text(f'host = "{address(0)}"\nnode_name = "{NAMES[0]}"\n{reached}')
        cloud = Cloud(hosts[0], folder)
        cloud.up("--image", str(tiny_image()), "--config", str(settings))
        with hosts[0].entered():
            for place, host in enumerate(hosts[1:], 1):
                others.append(_join(cloud, host, place))
            for far in others:
                _await(cloud, far)
            yield Rack(cloud, others)
    finally:
        for host in hosts:
            host.end()
        for far in others:
            far.process.wait(10)
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


def _join(cloud: Cloud, host: Host, place: int) -> FarNode:
    cumulet = [sys.executable, "-m", "cumulet"]
    token = cloud.host.run("env", f"CUMULET_CONFIG={cloud.state}/cumulet.toml", *cumulet, "node-token").strip()
    name = NAMES[place]
    state, log = cloud.folder / name, cloud.folder / f"{name}.log"
    ways = ["--tunnel-address", address(place), "--address", f"{address(place)}:5001"]
    who = ["--join", f"http://{address(0)}:5000", "--token", token, "--state", str(state), "--name", name]
    argv = [*cumulet, "node", *who, *ways]
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
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    with real_rack(options.nodes) as rack:
        known = [f"OS_CLIENT_CONFIG_FILE={rack.cloud.state / 'clouds.yaml'}", "OS_CLOUD=cumulet"]
        given = [word.replace("{image}", str(tiny_image())) for word in options.command]
        done = subprocess.run(rack.cloud.host.command(["env", *known, *given]), env=clean_environment(), check=False)
        print(rack.logs()[-20000:], file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
