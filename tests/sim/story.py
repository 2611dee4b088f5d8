"""What people do in a simulated cloud, at random, and what must be true when everything has calmed down."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

from cumulet.core.access.quota import QuotaRow
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.compute.servers.row import ServerRow
from cumulet.services.fleet.assignments import AssignmentRow
from cumulet.services.network.ports.row import PortRow
from cumulet.services.placement.rows import AllocationRow, InventoryRow
from tests.sim.world import Dead, Scene
from tests.support.virtual_time import VirtualClock

OPERATIONS = 14
CALM_SECONDS = 1500.0
SETTLED = {"ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "ERROR"}
VERBS: tuple[dict[str, Any], ...] = (
    {"os-stop": None},
    {"os-start": None},
    {"reboot": {"type": "HARD"}},
    {"reboot": {"type": "SOFT"}},
    {"pause": None},
    {"unpause": None},
    {"suspend": None},
    {"resume": None},
)


async def live(clock: VirtualClock, seed: int) -> dict[str, int]:
    """One seed's story. Raises AssertionError when something is stuck or leaks; some figures otherwise."""
    scene = Scene(clock, seed)
    await scene.begin()
    network_id = await _network(scene)
    tender = asyncio.ensure_future(scene.tend())
    scene.unleash()
    refusals: Counter[int] = Counter()
    for number in range(OPERATIONS):
        with suppress(Dead):
            answer = await _something(scene, network_id, number)
            if answer is not None:
                refusals[answer.status_code] += 1
                assert answer.status_code != 500, answer.text
        await asyncio.sleep(scene.chance.random() * 4)
    scene.make_calm()
    await asyncio.sleep(CALM_SECONDS)
    await _nothing_is_stuck(scene)
    await _nothing_leaks(scene)
    await _a_second_round_does_nothing(scene)
    tender.cancel()
    await scene.end()
    return {"kills": scene.kills, **{str(code): n for code, n in refusals.items()}}


async def _network(scene: Scene) -> str:
    answer = await scene.api.call("network", "POST", "/networks", {"network": {"name": "blue"}})
    network_id = str(answer.json()["network"]["id"])
    subnet = {"subnet": {"network_id": network_id, "cidr": "10.0.0.0/24", "ip_version": 4}}
    assert (await scene.api.call("network", "POST", "/subnets", subnet)).status_code == 201
    return network_id


async def _something(scene: Scene, network_id: str, number: int) -> Any:
    """One thing that a user does; he does not wait for its end."""
    api, chance = scene.api, scene.chance
    servers = (await api.call("compute", "GET", "/servers")).json()["servers"]
    roll = chance.random()
    if roll < 0.35 or not servers:
        image = (await api.call("image", "GET", "/images")).json()["images"][0]["id"]
        server = {"name": f"s{number}", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": network_id}]}
        return await api.call("compute", "POST", "/servers", {"server": server})
    server_id = chance.choice(servers)["id"]
    if roll < 0.55:
        return await api.call("compute", "DELETE", f"/servers/{server_id}")
    if roll < 0.80:
        return await api.call("compute", "POST", f"/servers/{server_id}/action", chance.choice(VERBS))
    volumes = (await api.call("block_storage", "GET", "/volumes")).json()["volumes"]
    if roll < 0.88 or not volumes:
        return await api.call("block_storage", "POST", "/volumes", {"volume": {"size": 1, "name": f"v{number}"}})
    volume_id = chance.choice(volumes)["id"]
    if roll < 0.92:
        return await api.call("block_storage", "DELETE", f"/volumes/{volume_id}")
    attach = {"volumeAttachment": {"volumeId": volume_id}}
    return await api.call("compute", "POST", f"/servers/{server_id}/os-volume_attachments", attach)


async def _nothing_is_stuck(scene: Scene) -> None:
    """Every wish is met or has its fault; a delete has always ended."""
    for server in (await scene.api.call("compute", "GET", "/servers/detail")).json()["servers"]:
        assert server["status"] in SETTLED, server
        assert server["OS-EXT-STS:task_state"] is None, server
        if server["status"] == "ERROR":
            assert server["fault"]["message"], server
    for volume in (await scene.api.call("block_storage", "GET", "/volumes/detail")).json()["volumes"]:
        assert volume["status"] in ("available", "in-use", "error"), volume


async def _nothing_leaks(scene: Scene) -> None:
    """The world holds what the database wishes, and nothing else; the counters count it."""
    async with scene.api.cloud.database.read() as tx:
        servers = {row.id: row for row in await tx.find(ServerRow) if not row.deleted_at}
        volumes = {row.id: row for row in await tx.find(VolumeRow)}
        ports = await tx.find(PortRow)
        allocations = await tx.find(AllocationRow)
        inventories = await tx.find(InventoryRow)
        quotas = {(row.room, row.resource): row.used for row in await tx.find(QuotaRow) if row.used}
        orders = await tx.find(AssignmentRow)
    machines = {id_ for world in scene.worlds.values() for id_ in world.machines.machines}
    placed = {row.id for row in servers.values() if row.host}
    assert machines <= set(servers), f"machines nobody has: {machines - set(servers)}"
    assert {row.consumer_id for row in allocations} <= set(servers), "claims of servers that are gone"
    assert {row.key for row in orders if row.kind == "machine"} <= set(servers), "orders for servers that are gone"
    assert not [row for row in orders if row.gone], "orders that nobody acknowledged"
    device_ports = {row.device_id for row in ports if row.device_owner.startswith("compute:")}
    assert device_ports <= set(servers), "ports of servers that are gone"
    disks = {id_ for world in scene.worlds.values() for id_ in world.volumes.volumes}
    assert disks <= set(volumes), f"volumes nobody has: {disks - set(volumes)}"
    taken = Counter[tuple[str, str]]()
    for row in allocations:
        taken[row.provider_id, row.resource_class] += row.used
    assert {(row.provider_id, row.resource_class): row.used for row in inventories if row.used} == dict(taken)
    assert quotas.get(("compute", "instances"), 0) == len(servers), (quotas, len(servers))
    assert quotas.get(("block_storage", "volumes"), 0) == len(volumes), (quotas, len(volumes))
    running = {id_ for row in servers.values() if row.status == "ACTIVE" for id_ in [row.id]}
    assert running <= machines, f"servers without a machine: {running - machines}"
    assert running <= placed


async def _a_second_round_does_nothing(scene: Scene) -> None:
    """A look at everything finds nothing to do: no order changes its number."""
    before = await _numbers(scene)
    for loop in scene.api.cloud.loops:
        for key in await loop.reconciler.every("", 10_000):
            loop.wake(key)
    await asyncio.sleep(100)
    assert await _numbers(scene) == before


async def _numbers(scene: Scene) -> dict[tuple[str, str, str], int]:
    async with scene.api.cloud.database.read() as tx:
        return {(row.node, row.kind, row.key): row.number for row in await tx.find(AssignmentRow)}
