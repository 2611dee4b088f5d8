"""What people do in a simulated cloud, at random, and what must be true when everything has calmed down."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import msgspec

from cumulet.contracts.machines import Power
from cumulet.contracts.networks import GroupSpec
from cumulet.core.access.quota import QuotaRow
from cumulet.lib.clock import SECOND
from cumulet.services.block_storage.backups.row import BackupRow
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow
from cumulet.services.compute.moves.row import MoveRow
from cumulet.services.compute.servers.counted import held
from cumulet.services.compute.servers.row import ServerRow
from cumulet.services.fleet.assignments import AssignmentRow
from cumulet.services.fleet.notices import NoticeRow
from cumulet.services.image.images.row import ImageRow, counted
from cumulet.services.network import seed as network_seed
from cumulet.services.network.floating_ips.row import FloatingIpRow
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.row import BindingRow, PortRow
from cumulet.services.network.ports.shares import held_by
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.security_groups.row import SecurityGroupRow
from cumulet.services.network.specs import member_of
from cumulet.services.placement.rows import AllocationRow, InventoryRow, ProviderRow
from tests.sim.doings import People
from tests.sim.processes import Dead
from tests.sim.world import Scene
from tests.support.personas import DEMO
from tests.support.virtual_time import BEGINNING, VirtualClock

FABRIC = ("network", "port", "group", "router")
IMAGE_QUOTAS = ("image_count_total", "image_size_total", "image_count_uploading")
OPERATIONS = 18
CALM_SECONDS = 1500.0
SETTLED = {
    "ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "ERROR", "VERIFY_RESIZE", "RESCUE", "SHELVED_OFFLOADED",
}  # fmt: skip
VOLUMES_SETTLED = {"available", "in-use", "error", "error_extending", "error_restoring"}


async def live(clock: VirtualClock, seed: int) -> dict[str, int]:
    """One seed's story. Raises AssertionError when something is stuck or leaks; some figures otherwise."""
    scene = Scene(clock, seed)
    await scene.begin()
    network_id = await _network(scene)
    promises = await _promises(scene)
    if seed % 2:
        body = {"network": {"qos_policy_id": scene.chance.choice(promises)}}
        assert (await scene.api.call("network", "PUT", f"/networks/{network_id}", body)).status_code == 200
    if seed % 4 == 0:  # Of even seeds, whose network promises nothing, so that there is a host.
        await _volumes_in_use(scene, network_id)
    people = People(scene, network_id, await _public(scene), promises)
    tender = asyncio.ensure_future(scene.tend())
    scene.unleash()
    refusals: Counter[int] = Counter()
    for _ in range(OPERATIONS):
        with suppress(Dead):
            answer = await people.do_something()
            if answer is not None:
                refusals[answer.status_code] += 1
                assert answer.status_code != 500, answer.text
        await asyncio.sleep(scene.chance.random() * 4)
    scene.make_calm()
    await asyncio.sleep(CALM_SECONDS)
    await _nothing_is_stuck(scene)
    await _nothing_leaks(scene)
    await _every_node_knows_its_neighbours(scene)
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


async def _promises(scene: Scene) -> list[str]:
    """Policies: little, much, and something else of a node."""
    found = []
    for kind, rule in (
        ("minimum_bandwidth", {"min_kbps": 10}),
        ("minimum_bandwidth", {"min_kbps": 60, "direction": "ingress"}),
        ("minimum_packet_rate", {"min_kpps": 40, "direction": "any"}),
    ):
        answer = await scene.api.call("network", "POST", "/qos/policies", {"policy": {"name": kind}}, "admin")
        policy = str(answer.json()["policy"]["id"])
        path = f"/qos/policies/{policy}/{kind}_rules"
        assert (await scene.api.call("network", "POST", path, {f"{kind}_rule": rule}, "admin")).status_code == 201
        await scene.api.call("network", "PUT", f"/qos/policies/{policy}", {"policy": {"shared": True}}, "admin")
        found.append(policy)
    return found


async def _volumes_in_use(scene: Scene, network_id: str) -> None:
    """Servers with a volume each, which may go elsewhere later."""
    image = (await scene.api.call("image", "GET", "/images")).json()["images"][0]["id"]
    for name in ("oak", "elm"):
        wish = {"name": name, "flavorRef": "42", "imageRef": image, "networks": [{"uuid": network_id}]}
        server = (await scene.api.call("compute", "POST", "/servers", {"server": wish})).json()["server"]["id"]
        made = await scene.api.call("block_storage", "POST", "/volumes", {"volume": {"size": 1, "name": name}})
        volume = made.json()["volume"]["id"]
        for room, one, place, ready in (
            ("compute", "server", f"/servers/{server}", "ACTIVE"),
            ("block_storage", "volume", f"/volumes/{volume}", "available"),
        ):
            # A wake-up may be lost, and is made up for by a sweep.
            while (await scene.api.call(room, "GET", place)).json()[one]["status"] != ready:
                assert scene.clock.now() < BEGINNING + CALM_SECONDS * SECOND, place
                await asyncio.sleep(10)
        attachment = {"volumeAttachment": {"volumeId": volume}}
        path = f"/servers/{server}/os-volume_attachments"
        assert (await scene.api.call("compute", "POST", path, attachment)).status_code == 200
        await asyncio.sleep(30)


async def _public(scene: Scene) -> str:
    """The network that leads out; made as every cloud makes it."""
    await network_seed.seed(scene.api.cloud.network, admin_project="0" * 32)
    answer = await scene.api.call("network", "GET", "/networks?router:external=true")
    return str(answer.json()["networks"][0]["id"])


async def _nothing_is_stuck(scene: Scene) -> None:
    """Every wish is met or has its fault; a delete has always ended."""
    promised: set[str] = set()
    """Volumes of servers that are off every host, or whose wish has its fault: kept for them until they go."""
    for server in (await scene.api.call("compute", "GET", "/servers/detail")).json()["servers"]:
        assert server["status"] in SETTLED, server
        if server["status"] in ("SHELVED_OFFLOADED", "ERROR"):
            promised |= {one["id"] for one in server["os-extended-volumes:volumes_attached"]}
        assert server["OS-EXT-STS:task_state"] is None, server
        if server["status"] == "ERROR":
            assert server["fault"]["message"], server
    for volume in (await scene.api.call("block_storage", "GET", "/volumes/detail")).json()["volumes"]:
        kept = volume["status"] == "reserved" and volume["id"] in promised
        assert kept or volume["status"] in VOLUMES_SETTLED, volume
    for snapshot in (await scene.api.call("block_storage", "GET", "/snapshots/detail")).json()["snapshots"]:
        assert snapshot["status"] in ("available", "error"), snapshot
    for backup in (await scene.api.call("block_storage", "GET", "/backups/detail")).json()["backups"]:
        assert backup["status"] in ("available", "error"), backup
        assert (backup["status"] == "error") == bool(backup["fail_reason"]), backup
    for image in (await scene.api.call("image", "GET", "/images")).json()["images"]:
        assert image["status"] in ("active", "killed"), image
    for floating in (await scene.api.call("network", "GET", "/floatingips")).json()["floatingips"]:
        assert floating["status"] == ("ACTIVE" if floating["port_id"] else "DOWN"), floating


async def _nothing_leaks(scene: Scene) -> None:
    """The world holds what the database wishes, and nothing else; the counters count it."""
    async with scene.api.cloud.database.read() as tx:
        servers = {row.id: row for row in await tx.find(ServerRow) if not row.deleted_at}
        moves = {row.server_id: row for row in await tx.find(MoveRow, open="open")}
        volumes = {row.id: row for row in await tx.find(VolumeRow)}
        ports = await tx.find(PortRow)
        allocations = await tx.find(AllocationRow)
        below = {row.id for row in await tx.find(ProviderRow) if row.parent_id}
        inventories = await tx.find(InventoryRow)
        quotas = {(row.room, row.resource, row.project_id): row.used for row in await tx.find(QuotaRow) if row.used}
        orders = await tx.find(AssignmentRow)
        snapshots, attachments = await tx.find(SnapshotRow), await tx.find(AttachmentRow)
        backups = await tx.find(BackupRow)
        images = [row for row in await tx.find(ImageRow) if row.status != "deleted"]
        networks, routers, floatings = await tx.find(NetworkRow), await tx.find(RouterRow), await tx.find(FloatingIpRow)
        groups = await tx.find(SecurityGroupRow)
    machines = {id_ for world in scene.worlds.values() for id_ in world.machines.machines}
    placed = {row.id for row in servers.values() if row.host}
    assert machines <= set(servers), f"machines nobody has: {machines - set(servers)}"
    consumers = set(servers) | {move.id for move in moves.values()}
    assert {row.consumer_id for row in allocations} <= consumers, "claims of servers that are gone"
    promised = Counter[tuple[str, str, str]]()
    for port in ports:
        for ask in held_by(port):
            for name, n in ask.resources.items():
                promised[port.device_id, ask.provider, name] += n
    shares = {
        (row.consumer_id, row.provider_id, row.resource_class): row.used
        for row in allocations
        if row.provider_id in below and row.consumer_id in servers
    }
    assert shares == dict(promised), "what ports are promised is what their servers hold"
    assert {row.key for row in orders if row.kind == "machine"} <= set(servers), "orders for servers that are gone"
    assert not [row for row in orders if row.gone], "orders that nobody acknowledged"
    device_ports = {row.device_id for row in ports if row.device_owner.startswith("compute:")}
    assert device_ports <= set(servers), "ports of servers that are gone"
    backends = [backend for world in scene.worlds.values() for backend in world.volumes.worlds.values()]
    places = Counter(id_ for backend in {id(one): one for one in backends}.values() for id_ in backend.volumes)
    assert not places or max(places.values()) == 1, f"volumes in several places: {places}"
    disks = set(places)
    assert disks <= set(volumes), f"volumes nobody has: {disks - set(volumes)}"
    offered = {id_ for backend in backends for id_ in backend.exports}
    assert offered == {row.id for row in volumes.values() if row.export_secret}, "exports that nobody wants"
    reached = {row.volume_id for row in attachments if row.by_compute and row.host}
    assert offered <= reached, f"exports that nobody uses: {offered - reached}"
    for world in scene.worlds.values():
        for machine in world.machines.machines.values():
            for disk in machine.running.disks:
                if disk.volume is not None and machine.power is Power.RUNNING:
                    assert disk.volume.backend == volumes[disk.id].backend, f"{disk.volume} is not where it lies"
            ways = set(machine.relays)
            assert ways <= {disk.id for disk in machine.running.disks}, "ways to volumes that the machine does not have"
            assert ways <= offered, "ways to volumes that nobody offers"
    fabrics = [key for world in scene.worlds.values() for key in world.fabric.elements]
    ordered = {(row.node, row.kind, row.key) for row in orders}
    found = {(node, kind, key) for node, world in scene.worlds.items() for kind, key in world.fabric.elements}
    assert found == {order for order in ordered if order[1] in FABRIC}, (found, ordered)
    assert {key for kind, key in fabrics if kind == "port"} <= {row.id for row in ports}, "wires of ports that are gone"
    assert set(scene.shelf.images) == {row.data_key for row in images if row.data_key}, "bytes that no image has"
    assert set(scene.backups.images) == {row.id for row in backups if row.made}, "bytes that no backup has"
    assert quotas.get(("block_storage", "backups", DEMO), 0) == len(backups)
    children = Counter(row.parent_id for row in backups if row.parent_id)
    assert {row.id: row.dependents for row in backups if row.dependents} == dict(children), "backups that others need"
    used = {name: sum(counted(row).get(name, 0) for row in images if row.owner == DEMO) for name in IMAGE_QUOTAS}
    assert used == {name: quotas.get(("image", name, DEMO), 0) for name in IMAGE_QUOTAS}
    sizes = sum(row.size for row in volumes.values()) + sum(row.size for row in snapshots)
    assert quotas.get(("block_storage", "gigabytes", DEMO), 0) == sizes
    assert quotas.get(("block_storage", "snapshots", DEMO), 0) == len(snapshots)
    counts = {
        "network": sum(row.project_id == DEMO for row in networks),
        "port": sum(row.counted and row.project_id == DEMO for row in ports),
        "router": len(routers),
        "floatingip": len(floatings),
        "security_group": sum(row.project_id == DEMO for row in groups),
    }
    counted_in = {name: quotas.get(("network", name, DEMO), 0) for name in counts}
    assert counts == counted_in, (counts, counted_in, Counter(row.device_owner for row in ports))
    assert {row.server_id for row in attachments} <= set(servers), "attachments of servers that are gone"
    taken = Counter[tuple[str, str]]()
    for row in allocations:
        taken[row.provider_id, row.resource_class] += row.used
    assert {(row.provider_id, row.resource_class): row.used for row in inventories if row.used} == dict(taken)
    assert quotas.get(("compute", "instances", DEMO), 0) == len(servers), (quotas, len(servers))
    sizes_in_use = Counter[str]()
    for row in servers.values():
        sizes_in_use.update(held(row, moves.get(row.id)))
    held_there = {name: quotas.get(("compute", name, DEMO), 0) for name in ("cores", "ram", "disk")}
    assert held_there == {name: sizes_in_use[name] for name in held_there}
    assert quotas.get(("block_storage", "volumes", DEMO), 0) == len(volumes), (quotas, len(volumes))
    running = {id_ for row in servers.values() if row.status == "ACTIVE" for id_ in [row.id]}
    assert running <= machines, f"servers without a machine: {running - machines}"
    assert running <= placed


async def _every_node_knows_its_neighbours(scene: Scene) -> None:
    """Where the other ports of its networks are, and which addresses the groups have that it holds."""
    async with scene.api.cloud.database.read() as tx:
        ports = [row for row in await tx.find(PortRow) if row.host]
        prepared = {(row.port_id, row.host) for row in await tx.find(BindingRow)}
        notices = [row for row in await tx.find(NoticeRow) if not row.gone]
    members = Counter[tuple[str, str]]()
    for port in ports:
        for group in msgspec.json.decode(port.groups):
            members.update((group, cidr) for cidr in member_of(port).cidrs)
    for name, world in scene.worlds.items():
        elements = world.fabric.elements
        here = {port.id for port in ports if port.host == name or (port.id, name) in prepared}
        wanted = {
            (port.id, port.host) for port in ports if ("network", port.network_id) in elements and port.id not in here
        }
        assert {(place.id, place.host) for place in world.fabric.places} == wanted, f"what {name} knows of places"
        for group in [spec for spec in elements.values() if isinstance(spec, GroupSpec)]:
            known = {cidr for of, cidr in members if of == group.id}
            assert set(group.members) == known, f"what {name} knows of group {group.id}"
    assert {row.key for row in notices} == {port.id for port in ports}, "notices of ports that are nowhere"


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
        orders = {(row.node, row.kind, row.key): row.number for row in await tx.find(AssignmentRow)}
        return orders | {(row.about, row.kind, row.key): row.number for row in await tx.find(NoticeRow)}
