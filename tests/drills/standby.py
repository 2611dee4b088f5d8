"""A router that all nodes hold: the node that runs it is lost, and a floating IP behind it answers again in seconds."""

from __future__ import annotations

import re
import subprocess
import threading
from itertools import pairwise
from typing import Any

from openstack.connection import Connection

from tests.drills.drill import Scene, leaving_nothing
from tests.drills.lost_node import NOTICED_SECONDS, is_up
from tests.support.real_cloud import eventually
from tests.support.tenants import Tenant

SECONDS = 60.0
INTERVAL, ENOUGH = 0.2, 10
ANSWER = re.compile(r"\[(\d+\.\d+)\] \d+ bytes from ")
MOST_SECONDS = 20.0
"""What a floating IP may take to answer again."""


def run(scene: Scene) -> None:
    with leaving_nothing(scene):
        _lose_the_router(scene)


def _lose_the_router(scene: Scene) -> None:
    client = scene.client()
    blue = Tenant(scene.cloud, client, "blue", standby=True)
    server = blue.server("one", availability_zone="nova:near")
    address = blue.reachable(server)
    scene.cloud.ssh_answers(address)
    blue.allow(protocol="icmp")
    eventually("three nodes hold the router", lambda: len(agents(client, blue.router)) == len(scene.names), SECONDS)
    first = eventually("one runs it", lambda: runs_on(client, blue.router), SECONDS)
    if first == "near":  # the API's own host, which is not to be lost
        end_keepalived(scene, first, blue.router.id)
        first = eventually("another runs it", lambda: another(client, blue, "near"), SECONDS)
    scene.say(f"a router that three nodes hold runs on {first}; behind it, on near, is a guest with a floating IP")

    with Pings(address) as pings:
        scene.say(f"{first} loses power")
        scene.other(first).lose_power()
        pings.go_on("the floating IP answers again")
        scene.say(f"the floating IP was silent for {pings.longest:.1f} s")
        taken = eventually("the API has heard of it", lambda: another(client, blue, first), SECONDS)
        scene.say(f"the API says that the router runs on {taken}")
    with Pings(address) as pings:
        scene.other(first).start_agent()
        eventually("the node is up again", lambda: is_up(client, first), NOTICED_SECONDS)
        eventually("it stands by", lambda: agents(client, blue.router).get(first) == "standby", SECONDS)
        pings.go_on("the floating IP answers")
        scene.say(
            f"{first} is back and stands by; meanwhile the floating IP was silent for {pings.longest:.1f} s at most"
        )
    with Pings(address) as pings:
        end_keepalived(scene, taken, blue.router.id)
        scene.say(f"what runs the router on {taken} is ended")
        pings.go_on("the floating IP answers again")
        after = eventually("the API has heard of it", lambda: another(client, blue, taken), SECONDS)
        pings.go_on("the floating IP answers")
        scene.say(f"it runs on {after}; the floating IP was silent for {pings.longest:.1f} s")
    assert scene.cloud.ssh(address, "hostname") == "one"
    blue.leave()


class Pings:
    """Somebody outside who asks an address five times a second, and notes when it answers."""

    def __init__(self, address: str) -> None:
        argv = ["ping", "-D", "-n", "-i", str(INTERVAL), "-W", "1", address]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._answers: list[float] = []
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Pings:
        self._reader.start()
        self.go_on("the address answers")
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait(10)

    def go_on(self, what: str) -> None:
        """Wait for ten more answers."""
        before = len(self._answers)
        eventually(what, lambda: len(self._answers) >= before + ENOUGH, MOST_SECONDS)

    @property
    def longest(self) -> float:
        """Seconds between two answers."""
        return max(after - before for before, after in pairwise(self._answers))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := ANSWER.match(line):
                self._answers.append(float(found[1]))


def agents(client: Connection, router: Any) -> dict[str, str]:
    """What each node that holds a router says of itself."""
    found = client.network.get(f"/routers/{router.id}/l3-agents").json()["agents"]
    return {agent["host"]: agent["ha_state"] for agent in found}


def runs_on(client: Connection, router: Any) -> str:
    """The node whose agent is active, once the router's leg is wired there."""
    active = [host for host, state in agents(client, router).items() if state == "active"]
    [leg] = client.network.ports(device_id=router.id, device_owner="network:router_interface")
    return active[0] if leg.status == "ACTIVE" and [leg.binding_host_id] == active else ""


def another(client: Connection, blue: Tenant, lost: str) -> str:
    """The node that runs the router, which is not this one."""
    now = runs_on(client, blue.router)
    return now if now != lost else ""


def end_keepalived(scene: Scene, node: str, router_id: str) -> None:
    host, state = scene.home(node)
    pid = state / "node/network/keepalived" / router_id / "pid"
    number = eventually("keepalived has said who it is", lambda: pid.exists() and pid.read_text().strip(), SECONDS)
    host.run("kill", str(number))
