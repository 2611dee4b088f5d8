"""Servers of a group that keeps them apart are on as many nodes; their network reaches over all of them."""

from __future__ import annotations

from functools import partial

from tests.drills.drill import Scene, leaving_nothing
from tests.support.real_cloud import GUEST_SECONDS, Cloud, eventually
from tests.support.tenants import Tenant


def run(scene: Scene) -> None:
    with leaving_nothing(scene):
        _apart_and_together(scene)


def _apart_and_together(scene: Scene) -> None:
    client, cloud = scene.client(), scene.cloud
    blue = Tenant(cloud, client, "blue")
    blue.allow(protocol="icmp")
    group = client.compute.create_server_group(name="apart", policy="anti-affinity")
    apart = {"scheduler_hints": {"group": group.id}}
    servers = [blue.server(f"on{number}", **apart) for number in range(len(scene.names))]
    hosts = {client.compute.get_server(server.id).compute_host for server in servers}
    assert hosts == set(scene.names)
    scene.say(f"{len(servers)} servers of a group with anti-affinity run on {', '.join(sorted(hosts))}")
    more = client.compute.create_server(
        name="one too many",
        flavor_id=client.compute.find_flavor("m1.micro").id,
        image_id=client.image.find_image("tiny").id,
        networks=[{"uuid": blue.network.id}],
        **apart,
    )
    blue.servers.append(more)
    refused = blue.become(more, "ERROR")
    assert "No valid host" in refused.fault["message"]
    scene.say(f"one more is refused: {refused.fault['message']}")

    address = blue.reachable(servers[0])
    cloud.ssh_answers(address)
    others = [client.compute.get_server(server.id).addresses["blue"][0]["addr"] for server in servers[1:]]
    for other in others:
        eventually(f"{other} is seen", partial(sees, cloud, address, other), GUEST_SECONDS)
        assert cloud.ssh(address, f"echo | nc -w 5 {other} 22 | head -c 7") == "SSH-2.0"
    scene.say(f"from the first, pings and TCP reach {' and '.join(others)} on the other nodes")
    blue.leave()
    client.compute.delete_server_group(group)


def sees(cloud: Cloud, address: str, other: str) -> bool:
    """Whether the guest at an address hears from another one, which takes SSH: it has booted."""
    said = cloud.ssh(address, f"sudo ping -c 1 -W 5 {other}; echo | nc -w 5 {other} 22 | head -c 7 || true", 60)
    return " 0% packet loss" in said and "SSH-2.0" in said
