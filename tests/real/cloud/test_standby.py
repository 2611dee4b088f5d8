"""A router that two hosts hold: whoever loses it, the other takes it over, and the API says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from openstack.connection import Connection

from tests.support.real_cloud import Host, eventually
from tests.support.real_rack import real_rack

pytestmark = pytest.mark.root

SECONDS = 60


def test_a_router_that_two_hosts_hold() -> None:
    with real_rack(2) as rack:
        client = rack.cloud.client()
        network = client.network.create_network(name="n")
        subnet = client.network.create_subnet(network_id=network.id, cidr="10.7.0.0/24", ip_version=4)
        router = client.network.create_router(name="r", is_ha=True)
        client.network.add_interface_to_router(router, subnet_id=subnet.id)

        def runs_on() -> str:
            """The host whose agent is active, once the leg is wired there."""
            agents = client.network.get(f"/routers/{router.id}/l3-agents").json()["agents"]
            active = [agent["host"] for agent in agents if agent["ha_state"] == "active"]
            [leg] = client.network.ports(device_id=router.id, device_owner="network:router_interface")
            wired = len(agents) == 2 and leg.status == "ACTIVE" and [leg.binding_host_id] == active
            return str(active[0]) if wired else ""

        eventually("it runs on one of both", lambda: bool(runs_on()), SECONDS)
        first = runs_on()
        homes = {"near": (rack.cloud.host, rack.cloud.state), "far": (rack.others[0].host, rack.others[0].state)}
        end_keepalived(*homes[first], router.id)
        eventually("the other has taken over", lambda: runs_on() not in ("", first), SECONDS)
        end(client, router.id, subnet.id, network.id)
        for _, state in homes.values():
            eventually("nothing is left of it", lambda state=state: not standbys(state), SECONDS)


def standbys(state: Path) -> list[Path]:
    return list(state.glob("node/network/keepalived/*"))


def end_keepalived(host: Host, state: Path, router_id: str) -> None:
    pid = state / "node/network/keepalived" / router_id / "pid"
    number = eventually("keepalived has said who it is", lambda: pid.exists() and pid.read_text().strip(), SECONDS)
    host.run("kill", str(number))


def end(client: Connection, router_id: str, subnet_id: str, network_id: str) -> None:
    client.network.remove_interface_from_router(router_id, subnet_id=subnet_id)
    client.network.delete_router(router_id)
    client.network.delete_network(network_id)
