"""What people do in a simulated cloud. Nobody waits for the end of anything, and refusals are fine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tests.sim.world import Scene

VERBS: tuple[dict[str, Any], ...] = (
    {"os-migrateLive": {"host": None, "block_migration": "auto"}},
    {"os-stop": None},
    {"os-start": None},
    {"reboot": {"type": "HARD"}},
    {"reboot": {"type": "SOFT"}},
    {"pause": None},
    {"unpause": None},
    {"suspend": None},
    {"resume": None},
)
REMAKES: tuple[dict[str, Any], ...] = (
    {"resize": {"flavorRef": "84"}},
    {"resize": {"flavorRef": "1"}},
    {"confirmResize": None},
    {"confirmResize": None},
    {"revertResize": None},
    {"migrate": None},
    {"rescue": {}},
    {"unrescue": None},
    {"shelve": None},
    {"unshelve": None},
    {"addSecurityGroup": {"name": "web"}},
    {"removeSecurityGroup": {"name": "web"}},
    {"createImage": {"name": "copy"}},
)
RESIZES_SETTLE = ({"confirmResize": None}, {"revertResize": None})


class People:
    """The manager of the demo project, and whoever else does as he may."""

    def __init__(self, scene: Scene, network_id: str, public_id: str, promises: Sequence[str]) -> None:
        self.scene = scene
        self.promises = promises
        """Ids of policies that promise something of a node."""
        self.network_id = network_id
        self.public_id = public_id
        self.number = 0

    async def do_something(self) -> Any:
        """One thing, at random."""
        self.number += 1
        doings, weights = zip(*DOINGS, strict=True)
        (doing,) = self.scene.chance.choices(doings, weights)
        return await doing(self)

    async def call(self, room: str, method: str, path: str, body: Any = None) -> Any:
        return await self.scene.api.call(room, method, path, body)

    async def some(self, room: str, path: str, *, mine: bool = True) -> dict[str, Any] | None:
        """Any one of a list; None: it is empty."""
        found = next(iter((await self.call(room, "GET", path)).json().values()))
        return self.scene.chance.choice(found) if found else None

    async def post(self, room: str, path: str, one: str, **wish: Any) -> Any:
        return await self.call(room, "POST", path, {one: wish})


async def boot(people: People) -> Any:
    image = await people.some("image", "/images")
    chance = people.scene.chance
    wish: dict[str, Any] = {"name": f"s{people.number}", "flavorRef": "42", "networks": [{"uuid": people.network_id}]}
    wish["imageRef"] = image["id"] if image else ""
    roll = chance.random()
    if roll < 0.2:
        wish |= {"min_count": 1, "max_count": 2}
    elif roll < 0.5:
        port = await people.some("network", "/ports?device_id=")
        wish["networks"] = [{"port": port["id"]}] if port else wish["networks"]
    elif roll < 0.7:
        disk = {"boot_index": 0, "source_type": "image", "uuid": wish["imageRef"], "destination_type": "volume"}
        wish["block_device_mapping_v2"] = [disk | {"volume_size": 1, "delete_on_termination": chance.random() < 0.5}]
        wish["imageRef"] = ""
    return await people.post("compute", "/servers", "server", **wish)


async def act(people: People) -> Any:
    return await _act(people, people.scene.chance.choice(VERBS))


async def remake(people: People) -> Any:
    return await _act(people, people.scene.chance.choice(REMAKES))


async def rebuild(people: People) -> Any:
    image = await people.some("image", "/images")
    return await _act(people, {"rebuild": {"imageRef": image["id"] if image else ""}})


async def _act(people: People, verb: dict[str, Any]) -> Any:
    server = await people.some("compute", "/servers")
    return server and await people.call("compute", "POST", f"/servers/{server['id']}/action", verb)


def delete(room: str, path: str) -> Callable[[People], Awaitable[Any]]:
    """Somebody deletes any one of these, whoever uses it."""

    async def doing(people: People) -> Any:
        found = await people.some(room, path)
        return found and await people.call(room, "DELETE", f"{path.partition('?')[0]}/{found['id']}")

    return doing


async def plug(people: People) -> Any:
    server, port = await people.some("compute", "/servers"), await people.some("network", "/ports?device_id=")
    by_port = {"port_id": port["id"]} if port and people.scene.chance.random() < 0.5 else {"net_id": people.network_id}
    path = f"/servers/{server['id']}/os-interface" if server else ""
    return server and await people.post("compute", path, "interfaceAttachment", **by_port)


async def unplug(people: People) -> Any:
    server, port = await people.some("compute", "/servers"), await people.some("network", "/ports")
    if server is None or port is None:
        return None
    server_id = port["device_id"] or server["id"]
    return await people.call("compute", "DELETE", f"/servers/{server_id}/os-interface/{port['id']}")


async def make_volume(people: People) -> Any:
    return await people.post("block_storage", "/volumes", "volume", size=1, name=f"v{people.number}")


async def attach(people: People) -> Any:
    server, volume = await people.some("compute", "/servers"), await people.some("block_storage", "/volumes")
    if server is None or volume is None:
        return None
    path = f"/servers/{server['id']}/os-volume_attachments"
    return await people.post("compute", path, "volumeAttachment", volumeId=volume["id"])


async def detach(people: People) -> Any:
    volume = await people.some("block_storage", "/volumes/detail?status=in-use")
    if volume is None or not volume["attachments"]:
        return None
    path = f"/servers/{volume['attachments'][0]['server_id']}/os-volume_attachments/{volume['id']}"
    return await people.call("compute", "DELETE", path)


async def extend(people: People) -> Any:
    volume = await people.some("block_storage", "/volumes/detail")
    path = f"/volumes/{volume['id']}/action" if volume else ""
    return volume and await people.post("block_storage", path, "os-extend", new_size=volume["size"] + 1)


async def snapshot(people: People) -> Any:
    volume = await people.some("block_storage", "/volumes")
    return volume and await people.post("block_storage", "/snapshots", "snapshot", volume_id=volume["id"], force=True)


async def back_up(people: People) -> Any:
    volume = await people.some("block_storage", "/volumes")
    more = people.scene.chance.random() < 0.5
    wish = {"volume_id": volume["id"] if volume else "", "force": True, "incremental": more}
    if people.scene.chance.random() < 0.3:
        snapshot = await people.some("block_storage", "/snapshots")
        wish |= {"volume_id": snapshot["volume_id"], "snapshot_id": snapshot["id"]} if snapshot else {}
    return volume and await people.post("block_storage", "/backups", "backup", **wish)


async def restore(people: People) -> Any:
    backup, volume = await people.some("block_storage", "/backups"), await people.some("block_storage", "/volumes")
    over = {"volume_id": volume["id"]} if volume and people.scene.chance.random() < 0.5 else {}
    path = f"/backups/{backup['id']}/restore" if backup else ""
    return backup and await people.post("block_storage", path, "restore", **over)


PLACES = ("n1@local", "n2@local", "n1@share", "n2@share")


async def migrate_volume(people: People) -> Any:
    """An administrator moves one."""
    in_use = people.scene.chance.random() < 0.6
    volume = await people.some("block_storage", "/volumes/detail?status=in-use" if in_use else "/volumes")
    verb = {"os-migrate_volume": {"host": people.scene.chance.choice(PLACES)}}
    path = f"/volumes/{volume['id']}/action" if volume else ""
    return volume and await people.scene.api.call("block_storage", "POST", path, verb, "admin")


async def make_port(people: People) -> Any:
    """Half of them are promised something of their node."""
    wish: dict[str, Any] = {"network_id": people.network_id, "name": f"p{people.number}"}
    if people.scene.chance.random() < 0.5:
        wish["qos_policy_id"] = people.scene.chance.choice(people.promises)
    return await people.post("network", "/ports", "port", **wish)


async def promise(people: People) -> Any:
    """Another policy, or none, for somebody's port."""
    port = await people.some("network", "/ports")
    policy = people.scene.chance.choice([*people.promises, None])
    return port and await people.call("network", "PUT", f"/ports/{port['id']}", {"port": {"qos_policy_id": policy}})


async def make_group(people: People) -> Any:
    group = await people.some("network", "/security-groups")
    if group is None or people.scene.chance.random() < 0.4:
        return await people.post("network", "/security-groups", "security_group", name="web")
    rule = {"direction": "ingress", "protocol": "tcp", "port_range_min": people.number, "port_range_max": 900}
    rule |= {"security_group_id": group["id"]}
    return await people.post("network", "/security-group-rules", "security_group_rule", **rule)


async def make_router(people: People) -> Any:
    gateway = {"network_id": people.public_id}
    return await people.post("network", "/routers", "router", name="r", external_gateway_info=gateway)


async def join_router(people: People) -> Any:
    router, subnet = await people.some("network", "/routers"), await people.some("network", "/subnets")
    if router is None or subnet is None:
        return None
    verb = people.scene.chance.choice(("add", "add", "remove"))
    path = f"/routers/{router['id']}/{verb}_router_interface"
    return await people.call("network", "PUT", path, {"subnet_id": subnet["id"]})


async def take_address(people: People) -> Any:
    wish = {"floating_network_id": people.public_id}
    return await people.post("network", "/floatingips", "floatingip", **wish)


async def lead_address(people: People) -> Any:
    floating, port = await people.some("network", "/floatingips"), await people.some("network", "/ports")
    if floating is None:
        return None
    port_id = port["id"] if port and people.scene.chance.random() < 0.7 else None
    return await people.call("network", "PUT", f"/floatingips/{floating['id']}", {"floatingip": {"port_id": port_id}})


DOINGS: tuple[tuple[Callable[[People], Awaitable[Any]], int], ...] = (
    (boot, 24),
    (delete("compute", "/servers"), 12),
    (act, 14),
    (remake, 18),
    (rebuild, 3),
    (plug, 4),
    (unplug, 3),
    (make_volume, 7),
    (attach, 7),
    (detach, 4),
    (extend, 3),
    (snapshot, 3),
    (migrate_volume, 8),
    (back_up, 5),
    (restore, 4),
    (delete("block_storage", "/backups"), 2),
    (delete("block_storage", "/volumes"), 4),
    (delete("block_storage", "/snapshots"), 2),
    (make_port, 6),
    (promise, 4),
    (delete("network", "/ports"), 3),
    (make_group, 3),
    (delete("network", "/security-groups"), 2),
    (make_router, 4),
    (join_router, 5),
    (delete("network", "/routers"), 2),
    (take_address, 4),
    (lead_address, 5),
    (delete("network", "/floatingips"), 2),
    (delete("network", "/networks"), 1),
    (delete("image", "/images?visibility=private"), 2),
)
