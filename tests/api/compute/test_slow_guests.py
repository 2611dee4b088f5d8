"""Guests that let go of their devices late, or never."""

from __future__ import annotations

from typing import Any

from cumulet.contracts.assignments import Kind
from tests.support.small_cloud import SmallCloud


async def attached(cloud: SmallCloud) -> tuple[str, str, str]:
    """A server with a card and a volume: its id, the card's port, the volume."""
    server = await cloud.make_server(networks=[{"uuid": await cloud.make_network()}])
    volume = await cloud.make_volume()
    body = {"volumeAttachment": {"volumeId": volume}}
    await cloud.compute.post(f"/servers/{server['id']}/os-volume_attachments", body, 200)
    await cloud.settle()
    (card,) = (await cloud.compute.get(f"/servers/{server['id']}/os-interface"))["interfaceAttachments"]
    return server["id"], card["port_id"], volume


def hold(cloud: SmallCloud, holds: bool) -> None:
    for world in cloud.nodes.worlds.values():
        world.holds = holds


async def look_again(cloud: SmallCloud, server_id: str, seconds: int) -> None:
    """The node tries once more, and time has passed."""
    cloud.clock.jump(seconds)
    node = (await cloud.page(server_id))["OS-EXT-SRV-ATTR:host"]
    facts = await cloud.nodes.hypervisors[node].ensure(cloud.nodes.worlds[node].machines[server_id].spec)
    cloud.nodes.report(node, Kind.MACHINE, server_id, facts)
    cloud.bus.wake("server", server_id)
    await cloud.settle()


async def last_action(cloud: SmallCloud, server_id: str) -> dict[str, Any]:
    path = f"/servers/{server_id}/os-instance-actions"
    admin = cloud.compute.as_("admin")
    newest = (await admin.get(path))["instanceActions"][0]
    shown: dict[str, Any] = (await admin.get(f"{path}/{newest['request_id']}"))["instanceAction"]
    return shown


async def test_a_guest_that_boots_lets_go_when_it_has(cloud: SmallCloud) -> None:
    server_id, _, volume = await attached(cloud)
    hold(cloud, True)
    path = f"/servers/{server_id}/os-volume_attachments/{volume}"
    await cloud.compute.delete(path, 202)
    await cloud.settle()
    assert (await cloud.page(server_id))["status"] == "ACTIVE"
    await cloud.compute.get(path, 200)
    hold(cloud, False)
    await look_again(cloud, server_id, 60)
    await cloud.compute.get(path, 404)
    assert (await cloud.page(server_id))["status"] == "ACTIVE"
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] == "available"


async def test_what_a_guest_never_lets_go_of_stays_attached(cloud: SmallCloud) -> None:
    server_id, port, volume = await attached(cloud)
    hold(cloud, True)
    disk, card = f"os-volume_attachments/{volume}", f"os-interface/{port}"
    for name, path in (("detach_volume", disk), ("detach_interface", card)):
        await cloud.compute.delete(f"/servers/{server_id}/{path}", 202)
        await cloud.settle()
        await look_again(cloud, server_id, 700)
        page = await cloud.page(server_id)
        assert (page["status"], page["OS-EXT-STS:task_state"]) == ("ACTIVE", None)
        await cloud.compute.get(f"/servers/{server_id}/{path}", 200)
        action = await last_action(cloud, server_id)
        assert (action["action"], action["events"][0]["result"]) == (name, "Error")
    assert (await cloud.volume.get(f"/volumes/{volume}"))["volume"]["status"] == "in-use"
    hold(cloud, False)
    for path in (disk, card):
        await cloud.compute.delete(f"/servers/{server_id}/{path}", 202)
        await cloud.settle()
        await cloud.compute.get(f"/servers/{server_id}/{path}", 404)
