"""Servers that change their host, as stories begin with them and look at them."""

from __future__ import annotations

from typing import Any

from tests.support.small_cloud import SmallCloud

HOST = "OS-EXT-SRV-ATTR:host"
OTHER = {"one": "two", "two": "one"}
LIVE = {"host": None, "block_migration": "auto"}


def content(cloud: SmallCloud, node: str, server_id: str) -> str:
    return cloud.nodes.worlds[node].machines[server_id].content


async def move_cold(cloud: SmallCloud, server_id: str) -> tuple[str, str]:
    """Its host before and after."""
    before = (await cloud.page(server_id))[HOST]
    await cloud.do(server_id, "migrate", None, persona="admin")
    page = await cloud.page(server_id)
    assert page["status"] == "VERIFY_RESIZE"
    return before, page[HOST]


async def migrations(cloud: SmallCloud, server_id: str) -> list[dict[str, Any]]:
    listed = await cloud.compute.as_("admin").at("2.80").get(f"/os-migrations?instance_uuid={server_id}")
    found: list[dict[str, Any]] = listed["migrations"]
    return found


async def actions(cloud: SmallCloud, server_id: str) -> list[tuple[str, str | None]]:
    """What was done to a server and whether it failed, the newest first."""
    listed = await cloud.compute.get(f"/servers/{server_id}/os-instance-actions")
    return [(action["action"], action["message"]) for action in listed["instanceActions"]]


async def why(cloud: SmallCloud, server_id: str) -> str:
    """What the history says to administrators of the newest action that failed."""
    client = cloud.compute.as_("admin").at("2.84")
    for action in (await client.get(f"/servers/{server_id}/os-instance-actions"))["instanceActions"]:
        path = f"/servers/{server_id}/os-instance-actions/{action['request_id']}"
        for event in (await client.get(path))["instanceAction"]["events"]:
            if event["result"] == "Error":
                return str(event["details"])
    return ""


async def on_its_way(cloud: SmallCloud) -> tuple[dict[str, Any], str, int]:
    """A server whose live move does not come to its end by itself; where it is, and the number of the move."""
    server = await cloud.make_server()
    host = (await cloud.page(server["id"]))[HOST]
    cloud.nodes.worlds[host].sticks = True
    await cloud.do(server["id"], "os-migrateLive", LIVE, persona="admin", version="2.34")
    page = await cloud.page(server["id"])
    assert (page["status"], page["OS-EXT-STS:task_state"]) == ("MIGRATING", "migrating")
    client = cloud.compute.as_("admin").at("2.80")
    (shown,) = (await client.get(f"/servers/{server['id']}/migrations"))["migrations"]
    assert (shown["status"], shown["source_compute"], shown["dest_compute"]) == ("running", host, OTHER[host])
    assert shown["memory_total_bytes"] >= 0
    assert (await client.get(f"/servers/{server['id']}/migrations/{shown['id']}"))["migration"] == shown
    manager = cloud.compute.as_("manager").at("2.80")
    (shown,) = (await manager.get(f"/servers/{server['id']}/migrations"))["migrations"]
    assert {shown[name] for name in ("source_node", "source_compute", "dest_node", "dest_compute")} == {None}
    return server, host, shown["id"]
