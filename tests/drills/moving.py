"""A server goes from node to node: running, and who talks to it notices a pause at most; off, and its disk is there.

Its router goes where it is sent, and its floating IP answers there.
"""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import suppress
from itertools import pairwise
from typing import Any

from openstack.connection import Connection

from tests.drills.drill import Scene, Watch, leaving_nothing
from tests.drills.lost_node import QEMU
from tests.support.real_cloud import Cloud, eventually
from tests.support.tenants import Tenant

INTERVAL, ENOUGH = 0.1, 20
MOST_SECONDS = 30.0
"""What a guest may take to answer while it moves."""
PASSWORD = "c2VjcmV0"
LEAVE_PASSWORD = f"curl -d {PASSWORD} http://169.254.169.254/openstack/latest/password"
WORD_AND_UPTIME = "sudo cat /root/word; cut -d. -f1 /proc/uptime"


def run(scene: Scene) -> None:
    with leaving_nothing(scene):
        _go_there_and_come_back(scene)


def _go_there_and_come_back(scene: Scene) -> None:
    client, cloud, far = scene.client(), scene.cloud, scene.other("far")
    blue = Tenant(cloud, client, "blue")
    server = blue.server("one", availability_zone="nova:near")
    address = blue.reachable(server)
    cloud.ssh_answers(address)
    cloud.ssh(address, "echo kept | sudo tee /root/word && sudo sync")
    cloud.ssh(address, LEAVE_PASSWORD)
    assert password(client, server) == PASSWORD
    with Talk(cloud, address) as talk:
        scene.say("a guest on near says back what it is told, ten times a second, over one and the same TCP connection")
        watch = Watch()
        client.compute.live_migrate_server(server.id, host="far", block_migration="auto")
        moved = blue.become(server, "ACTIVE")
        assert moved.compute_host == "far", why_not(client, server)
        assert [len(host.running(QEMU)) for host in (cloud.host, far.host)] == [0, 1]
        scene.say(f"it went to far while it ran, within {watch}")
        talk.go_on()
        scene.say(
            f"its connection is kept: {talk.heard} words said back in order, the longest pause {talk.longest:.2f} s"
        )
    assert password(client, server) == PASSWORD
    word, uptime = cloud.ssh(address, WORD_AND_UPTIME).splitlines()
    assert word == "kept"
    (move,) = client.compute.migrations(instance_uuid=server.id)
    assert (move.status, move.migration_type) == ("completed", "live-migration")

    watch = Watch()
    client.compute.migrate_server(server.id, host="near")
    assert blue.become(server, "VERIFY_RESIZE").compute_host == "near"
    client.compute.confirm_server_resize(server.id)
    blue.become(server, "ACTIVE")
    assert [len(host.running(QEMU)) for host in (cloud.host, far.host)] == [1, 0]
    assert password(client, server) == PASSWORD
    cloud.ssh_answers(address)
    word, again = cloud.ssh(address, WORD_AND_UPTIME).splitlines()
    assert word == "kept"
    assert int(again) < int(uptime) + 30, "it was started anew here"
    scene.say(f"it came back turned off and on, with its disk; SSH {watch} later")
    _send_the_router(scene, client, blue, address)
    blue.leave()


def _send_the_router(scene: Scene, client: Connection, blue: Tenant, address: str) -> None:
    """By hand, from where it runs to the other node; between the two it runs nowhere."""
    agents = {agent.host: agent for agent in client.network.agents(agent_type="L3 agent")}
    [before] = client.network.routers_hosting_l3_agents(blue.router)
    after = next(name for name in scene.names if name != before.host)
    client.network.remove_router_from_agent(agents[before.host], blue.router)
    assert not list(client.network.routers_hosting_l3_agents(blue.router))
    eventually("the floating IP is silent", lambda: not scene.cloud.lets_in(address), 2 * MOST_SECONDS)
    client.network.add_router_to_agent(agents[after], blue.router)
    watch = Watch()
    scene.cloud.ssh_answers(address, MOST_SECONDS)
    [now] = client.network.routers_hosting_l3_agents(blue.router)
    assert now.host == after
    scene.say(f"its router was taken from {before.host} and sent to {after}; SSH {watch} later")


def password(client: Connection, server: Any) -> str:
    """What the guest has left for its owner."""
    return str(client.compute.get(f"/servers/{server.id}/os-server-password").json()["password"])


def why_not(client: Connection, server: Any) -> str:
    """What the cloud says of what was done to a server last."""
    (move,) = client.compute.migrations(instance_uuid=server.id)
    last = next(client.compute.server_actions(server))
    told = client.compute.get_server_action(last.request_id, server)
    return (
        f"{move.migration_type} {move.status}: {last.message}: {[(event.event, event.result) for event in told.events]}"
    )


class Talk:
    """A login that stays open: the guest says back each number that it is told, over one connection."""

    def __init__(self, cloud: Cloud, address: str) -> None:
        argv = [word for word in cloud.ssh_argv(address, "cat", 10) if word != "-n"]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._over = threading.Event()
        self._heard_at: list[float] = []
        self._wrong: list[str] = []
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._tell, self._hear)]

    def __enter__(self) -> Talk:
        for thread in self._threads:
            thread.start()
        self.go_on()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._process.kill()
        self._process.wait(10)

    def go_on(self) -> None:
        """Wait for some more words."""
        before = self.heard
        eventually("the guest says on", lambda: self.heard >= before + ENOUGH, MOST_SECONDS)
        assert not self._wrong, f"it said {self._wrong[0]!r}"

    @property
    def heard(self) -> int:
        return len(self._heard_at)

    @property
    def longest(self) -> float:
        """Seconds between two words."""
        return max(after - before for before, after in pairwise(self._heard_at))

    def _tell(self) -> None:
        assert self._process.stdin is not None
        told = 0
        with suppress(OSError):
            while not self._over.wait(INTERVAL):
                self._process.stdin.write(f"{told}\n")
                self._process.stdin.flush()
                told += 1

    def _hear(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() != str(self.heard):
                self._wrong.append(line)
            self._heard_at.append(time.monotonic())
