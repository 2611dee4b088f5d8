"""A node that is lost: the cloud notices, its servers live on elsewhere, and what it had is gone when it returns."""

from __future__ import annotations

from typing import Any

from openstack.connection import Connection

from tests.drills.drill import Scene, Watch, leaving_nothing
from tests.drills.guests import delete_volumes, from_volume, read, volume_on, write
from tests.support.real_cloud import eventually
from tests.support.real_rack import FarNode
from tests.support.tenants import Tenant

NOTICED_SECONDS = 60.0
CLEAN_SECONDS = 60.0
QEMU = "qemu-system-x86_64"


def run(scene: Scene) -> None:
    with leaving_nothing(scene):
        _lose_power(scene)


def _lose_power(scene: Scene) -> None:
    client, far = scene.client(), scene.other("far")
    data, root = volume_on(client, "near"), volume_on(client, "near", image_id=client.image.find_image("tiny").id)
    blue = Tenant(scene.cloud, client, "blue")
    plain = blue.server("plain", availability_zone="nova:far")
    booted = blue.server("booted", availability_zone="nova:far", **from_volume(root))
    client.compute.create_volume_attachment(plain, volume_id=data.id)
    addresses = {server.id: blue.reachable(server) for server in (plain, booted)}
    for address in addresses.values():
        scene.cloud.ssh_answers(address)
    write(scene.cloud, addresses[plain.id], 0, "before")
    scene.cloud.ssh(addresses[booted.id], "echo kept > kept; sync")
    scene.say("on the node far run a server with an image's disk and a volume, and one that starts from a volume; both")
    scene.say("volumes lie on the node near")

    far.lose_power()
    scene.say("far loses power: its agent, its guests and its networks are gone")
    watch = Watch()
    eventually("the API has noticed", lambda: not is_up(client, "far"), NOTICED_SECONDS)
    scene.say(f"the API noticed after {watch}")
    evacuate(scene, client, blue, plain, booted)
    for server in (plain, booted):
        scene.say(
            f"{server.name} took SSH at its floating IP {scene.cloud.ssh_answers(addresses[server.id]):.1f} s later"
        )
    assert read(scene.cloud, addresses[plain.id], 1) == ["before"]
    assert scene.cloud.ssh(addresses[booted.id], "cat kept") == "kept"
    write(scene.cloud, addresses[plain.id], 1, "after")
    scene.say("what was written before is on both volumes")

    assert left_on(far)
    watch = Watch()
    far.start_agent()
    eventually("the node is up again", lambda: is_up(client, "far"), NOTICED_SECONDS)
    eventually("it has let go of what it lost", lambda: not left_on(far), CLEAN_SECONDS)
    scene.say(f"far is back; after {watch} nothing of the servers is left there")
    assert read(scene.cloud, addresses[plain.id], 2) == ["before", "after"]
    blue.leave()
    delete_volumes(client, data, root)


def evacuate(scene: Scene, client: Connection, blue: Tenant, *servers: Any) -> None:
    watch = Watch()
    for server in servers:
        client.compute.evacuate_server(server.id)
    for server in servers:
        moved = blue.become(server, "ACTIVE")
        assert moved.compute_host != "far"
        scene.say(f"{server.name} was evacuated to {moved.compute_host} after {watch}")


def is_up(client: Connection, node: str) -> bool:
    services = client.compute.services(host=node, binary="nova-compute")
    return all(service.state == "up" for service in services)


def left_on(far: FarNode) -> list[str]:
    """Machines, processes of volumes and files of machines on a node."""
    processes = [name for name in (QEMU, "qemu-storage-daemon") for _ in far.host.running(name)]
    return processes + [path.name for path in (far.state / "node" / "instances").glob("*")]
