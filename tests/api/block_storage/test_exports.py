"""Volumes that servers on other nodes have: offered over the network as long as one does."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.machines import VolumeConnection
from cumulet.contracts.volumes import export_name
from cumulet.services.block_storage.errors import VolumeUnreachable
from cumulet.services.block_storage.public import VolumeDoor
from cumulet.services.block_storage.volumes.row import ENDING, VolumeRow
from tests.api.block_storage.shop import Shop

pytestmark = pytest.mark.db
HOST = "OS-EXT-SRV-ATTR:host"
OTHER = {"one": "two", "two": "one"}
SERVERS = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
ATTACHMENTS = ("33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444")


async def row_of(shop: Shop, volume: str) -> VolumeRow:
    async with shop.volume_room.database.read() as tx:
        [row] = await tx.find(VolumeRow, id=volume)
    return row


async def shared_volume(shop: Shop) -> str:
    kind = {"name": "shared", "extra_specs": {"multiattach": "<is> True"}}
    await shop.client.as_("admin").post("/types", {"volume_type": kind}, 200)
    return await shop.make(volume_type="shared")


async def promised(shop: Shop, volume: str, number: int = 0) -> VolumeDoor:
    """The door, with an attachment of this number."""
    door = VolumeDoor(shop.volume_room)
    await door.reserve(volume, SERVERS[number], ATTACHMENTS[number])
    return door


async def connect(door: VolumeDoor, host: str, number: int = 0) -> VolumeConnection | None:
    return await door.connect(ATTACHMENTS[number], host, "/dev/vdb")


async def server_on(shop: Shop, host: str) -> str:
    server = await shop.make_server(availability_zone=f"nova:{host}", persona="admin")
    assert (await shop.page(server["id"]))[HOST] == host
    return str(server["id"])


async def attach(shop: Shop, server: str, volume: str, status: int = 200) -> Any:
    path, body = f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}}
    answer = await shop.compute.as_("admin").at("2.60").post(path, body, status)
    await shop.settle()
    return answer


async def detach(shop: Shop, server: str, volume: str) -> None:
    await shop.compute.as_("admin").delete(f"/servers/{server}/os-volume_attachments/{volume}", 202)
    await shop.settle()


async def test_a_volume_goes_to_a_server_elsewhere_and_back_to_its_own_node(shop: Shop) -> None:
    volume = await shop.make()
    home = (await row_of(shop, volume)).node
    world = shop.nodes.volumes[home]
    far = await server_on(shop, OTHER[home])
    await attach(shop, far, volume)
    assert await shop.status(volume) == "in-use"
    machine = shop.nodes.worlds[OTHER[home]].machines[far]
    [way] = machine.relays.values()
    assert (way.protocol, way.host, way.target) == ("nbd", home, export_name(way.secret))
    assert way.secret == (await row_of(shop, volume)).export_secret
    assert set(world.exports) == {volume}

    # Its secret is shown to nobody.
    shown = (await shop.see(volume))["attachments"][0]["attachment_id"]
    assert way.secret not in str(await shop.client.get(f"/attachments/{shown}"))

    assert await shop.take(volume, force=True) in world.volumes[volume].snapshots
    await shop.act(volume, "os-extend", {"new_size": 2})
    assert ((await shop.see(volume))["size"], await shop.status(volume)) == (2, "in-use")
    assert (world.volumes[volume].size_gib, list(machine.relays.values())) == (2, [way])

    await detach(shop, far, volume)
    row = await row_of(shop, volume)
    assert (row.status, row.export_secret, row.exported, row.unsettled) == ("available", "", "", False)
    assert world.exports == {}
    assert machine.relays == {}

    near = await server_on(shop, home)
    await attach(shop, near, volume)
    assert await shop.status(volume) == "in-use"
    [disk] = [disk for disk in shop.nodes.worlds[home].machines[near].running.disks if disk.volume]
    assert disk.volume is not None
    assert (disk.volume.protocol, disk.volume.secret) == ("file", "")
    assert world.exports == {}


async def test_a_connection_is_waited_for_until_the_node_has_made_it(shop: Shop) -> None:
    volume = await shop.make()
    home = (await row_of(shop, volume)).node
    door = await promised(shop, volume)
    assert await connect(door, OTHER[home]) is None
    first = await row_of(shop, volume)
    assert first.export_secret
    assert first.unsettled
    assert await connect(door, OTHER[home]) is None
    assert (await row_of(shop, volume)).export_secret == first.export_secret
    shop.woken.clear()
    woken: list[str] = []
    shop.bus.listen("attachment", woken.append)
    shop.bus.wake("block_storage.volume", volume)
    await shop.settle()
    assert SERVERS[0] in woken
    found = await connect(door, OTHER[home])
    assert found is not None
    assert (found.protocol, found.host, found.secret) == ("nbd", home, first.export_secret)
    # Another host, and the volume's own, reach it in the same way.
    assert await connect(door, home) == found

    # Let go and taken again before its node has heard: what the node said of the first export is no answer.
    await door.release(ATTACHMENTS[0])
    assert ((await row_of(shop, volume)).export_secret, (await row_of(shop, volume)).exported) == ("", ENDING)
    await door.reserve(volume, SERVERS[0], ATTACHMENTS[0])
    assert await connect(door, home) is None
    assert not (await row_of(shop, volume)).export_secret
    await door.keep(ATTACHMENTS[0])
    assert await connect(door, OTHER[home]) is None
    second = (await row_of(shop, volume)).export_secret
    assert second != first.export_secret
    await shop.settle()
    again = await connect(door, OTHER[home])
    assert again is not None
    assert (again.secret, again.target) == (second, export_name(second))


async def test_a_file_is_given_only_when_the_export_has_ended(shop: Shop) -> None:
    volume = await shop.make()
    home = (await row_of(shop, volume)).node
    door = await promised(shop, volume)
    await connect(door, OTHER[home])
    await shop.settle()
    await door.keep(ATTACHMENTS[0])
    assert (await row_of(shop, volume)).exported == ENDING
    shop.nodes.kill(home)
    await shop.settle()
    assert await connect(door, home) is None
    shop.nodes.revive(home)
    shop.bus.wake("block_storage.volume", volume)
    await shop.settle()
    found = await connect(door, home)
    assert found is not None
    assert found.protocol == "file"


async def test_several_servers_share_a_volume_by_its_export(shop: Shop) -> None:
    volume = await shared_volume(shop)
    home = (await row_of(shop, volume)).node
    near, far = await server_on(shop, home), await server_on(shop, OTHER[home])
    await attach(shop, near, volume)
    [way] = shop.nodes.worlds[home].machines[near].relays.values()
    await attach(shop, far, volume)
    assert list(shop.nodes.worlds[OTHER[home]].machines[far].relays.values()) == [way]
    await detach(shop, near, volume)
    assert (await row_of(shop, volume)).export_secret == way.secret
    assert set(shop.nodes.volumes[home].exports) == {volume}
    await detach(shop, far, volume)
    assert (await row_of(shop, volume)).export_secret == ""
    assert shop.nodes.volumes[home].exports == {}


async def test_a_volume_that_is_open_as_a_file_is_reached_in_no_other_way(shop: Shop) -> None:
    volume = await shop.make()
    home = (await row_of(shop, volume)).node
    door = await promised(shop, volume)
    assert (await connect(door, home)) == VolumeConnection(volume_id=volume)
    with pytest.raises(VolumeUnreachable, match=f"open as a file on node {home} for server {SERVERS[0]}"):
        await connect(door, OTHER[home])
    assert not (await row_of(shop, volume)).export_secret


async def test_a_node_without_an_address_keeps_its_volumes_to_itself(shop: Shop) -> None:
    for node in OTHER:
        shop.nodes.join(node, tunnel_address="")
    volume = await shop.make()
    home = (await row_of(shop, volume)).node
    door = await promised(shop, volume)
    with pytest.raises(VolumeUnreachable, match="--tunnel-address"):
        await connect(door, OTHER[home])
    await door.release(ATTACHMENTS[0])
    far = await server_on(shop, OTHER[home])
    refused = await attach(shop, far, volume, 400)
    assert "cannot be reached" in str(refused)
    # A server that begins with it begins where it lies.
    disk = {"uuid": volume, "source_type": "volume", "destination_type": "volume", "boot_index": -1}
    root = {"uuid": await shop.make_image(), "source_type": "image", "destination_type": "local", "boot_index": 0}
    server = await shop.make_server(image=root["uuid"], block_device_mapping_v2=[root, disk])
    assert (await shop.page(server["id"]))[HOST] == home


async def test_a_server_is_placed_near_its_volume_but_elsewhere_if_it_must(shop: Shop) -> None:
    volume = await shop.make()
    home = (await row_of(shop, volume)).node
    image = await shop.make_image()
    mapping = [
        {"uuid": image, "source_type": "image", "destination_type": "local", "boot_index": 0},
        {"uuid": volume, "source_type": "volume", "destination_type": "volume", "boot_index": -1},
    ]
    near = await shop.make_server(image=image, block_device_mapping_v2=mapping)
    assert (await shop.page(near["id"]))[HOST] == home
    await shop.compute.delete(f"/servers/{near['id']}", 204)
    await shop.settle()
    await shop.nodes.set_disabled(home, True)
    far = await shop.make_server(image=image, block_device_mapping_v2=mapping)
    page = await shop.page(far["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", OTHER[home])
    assert set(shop.nodes.worlds[OTHER[home]].machines[far["id"]].relays) == {volume}


async def test_a_server_does_not_start_while_the_node_of_its_volume_is_down(shop: Shop) -> None:
    volume = await shop.make()
    home = (await row_of(shop, volume)).node
    far = await server_on(shop, OTHER[home])
    await attach(shop, far, volume)
    await shop.do(far, "os-stop", persona="admin")
    shop.nodes.kill(home)
    await shop.do(far, "os-start", persona="admin")
    page = await shop.page(far)
    assert page["status"] == "ERROR"
    assert volume in page["fault"]["message"]
    shop.nodes.revive(home)
    await shop.do(far, "reboot", {"type": "HARD"}, persona="admin")
    assert (await shop.page(far))["status"] == "ACTIVE"


async def test_a_server_moves_with_a_volume_that_stays_where_it_is(shop: Shop) -> None:
    volume = await shop.make()
    home = (await row_of(shop, volume)).node
    server = await server_on(shop, home)
    await attach(shop, server, volume)
    await shop.do(server, "migrate", None, persona="admin")
    page = await shop.page(server)
    assert (page["status"], page[HOST]) == ("VERIFY_RESIZE", OTHER[home])
    assert set(shop.nodes.worlds[OTHER[home]].machines[server].relays) == {volume}
    await shop.do(server, "revertResize", persona="admin")
    page = await shop.page(server)
    assert (page["status"], page[HOST]) == ("ACTIVE", home)
    assert shop.nodes.volumes[home].exports == {}
    assert await shop.status(volume) == "in-use"


async def test_what_is_left_to_itself_is_not_offered_any_more(shop: Shop) -> None:
    volume = await shop.make()
    home = (await row_of(shop, volume)).node
    door = await promised(shop, volume)
    await connect(door, OTHER[home])
    await shop.settle()
    await door.release(ATTACHMENTS[0])
    await shop.act(volume, "os-unmanage", {}, persona="admin")
    await shop.client.get(f"/volumes/{volume}", 404)
    assert volume in shop.nodes.volumes[home].volumes
    assert shop.nodes.volumes[home].exports == {}
