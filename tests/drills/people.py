"""People who use a cloud through the official client, each in a thread of his own, whatever happens to the cloud."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from keystoneauth1.exceptions import ClientException, ConnectFailure
from openstack import exceptions
from openstack.connection import Connection

Doing = Callable[["Person"], Any]
MOST_SERVERS = 3
"""Each of them is a process of QEMU; one more takes the place of one that is there."""
SMALL, LARGE = "42", "84"
PATIENCE_SECONDS = 30.0
LONGEST_REST = 2.0
"""People look at what they have done before they go on."""


class Person(threading.Thread):
    """Does one thing after the other, at random. That he is refused is fine; that something broke is not."""

    def __init__(self, client: Connection, admin: Connection, image: str, number: int, seed: int, things: int) -> None:
        super().__init__(name=f"person {number}", daemon=True)
        self.client, self.admin, self.image = client, admin, image
        self.public = admin.network.find_network("public").id
        self.untouched = {one.id for kind in (client.network.routers, client.network.networks) for one in kind()}
        self.untouched |= {subnet.id for subnet in client.network.subnets()}
        self.chance = random.Random(f"{seed} {number}")
        self.things = things
        self.done: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.broken: list[str] = []

    def run(self) -> None:
        doings, weights = zip(*DOINGS, strict=True)
        while self.done.total() < self.things:
            (doing,) = self.chance.choices(doings, weights)
            name = doing.__name__.replace("_", " ").strip()
            answer = self._attempt(name, doing)
            if answer:
                self.done[name] += 1
                self.answers[answer] += 1
                time.sleep(self.chance.uniform(0, LONGEST_REST))

    def _attempt(self, name: str, doing: Doing) -> str:
        """How it went; empty: there was nothing to do it to."""
        try:
            return "accepted" if doing(self) is not None else ""
        except exceptions.HttpException as error:
            status = error.status_code or 0
            if status >= 500 and status != 503:
                self.broken.append(f"{name}: {error}")
            return "unavailable" if status >= 500 else "refused"
        except exceptions.SDKException as error:
            self.broken.append(f"{name}: {error}")
            return "broken"
        except (ConnectFailure, ConnectionError, ClientException):
            self._wait_for_the_api()
            return "unanswered"

    def _wait_for_the_api(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                self.client.compute.get("/")
                return
            except (ClientException, ConnectionError, exceptions.SDKException):
                time.sleep(0.1)

    def any(self, found: Iterable[Any]) -> Any:
        """One of them that was not there before; None: there is none."""
        several = [one for one in found if one.id not in self.untouched]
        return self.chance.choice(several) if several else None

    def server(self, *statuses: str) -> Any:
        return self.any(one for one in self.client.compute.servers() if not statuses or one.status in statuses)

    def volume(self, *statuses: str) -> Any:
        return self.any(one for one in self.client.block_storage.volumes() if not statuses or one.status in statuses)

    def network(self) -> Any:
        return self.any(self.client.network.networks(is_router_external=False))

    def free_port(self) -> Any:
        return self.any(self.client.network.ports(device_id=""))


# ---- servers ---------------------------------------------------------------------------------------------------------


def boot(person: Person) -> Any:
    if len(list(person.client.compute.servers())) >= MOST_SERVERS:
        return delete_server(person)
    chance, port, network = person.chance.random(), person.free_port(), person.network()
    place = {"port": port.id} if port and chance < 0.4 else {"uuid": network.id} if network else None
    disk: dict[str, Any] = {"image_id": person.image}
    if person.chance.random() < 0.4:
        made = {"source_type": "image", "destination_type": "volume", "uuid": person.image, "volume_size": 1}
        disk = {"image": "", "block_device_mapping": [{**made, "boot_index": 0, "delete_on_termination": chance < 0.5}]}
    return person.client.compute.create_server(
        name=f"s{person.chance.randrange(1000)}", flavor_id=SMALL, networks=[place] if place else "none", **disk
    )


def delete_server(person: Person) -> Any:
    server = person.server()
    return server and (person.client.compute.delete_server(server.id), server)


def turn_on_or_off(person: Person) -> Any:
    server, compute = person.server(), person.client.compute
    verbs = {
        "ACTIVE": (compute.stop_server, compute.pause_server, compute.suspend_server),
        "SHUTOFF": (compute.start_server,),
        "PAUSED": (compute.unpause_server,),
        "SUSPENDED": (compute.resume_server,),
    }
    verb = person.chance.choice(verbs.get(server.status, (compute.stop_server,))) if server else None
    return verb and (verb(server.id), server)


def reboot(person: Person) -> Any:
    server = person.server("ACTIVE", "SHUTOFF")
    return server and (person.client.compute.reboot_server(server.id, "HARD"), server)


def rebuild(person: Person) -> Any:
    server = person.server("ACTIVE", "SHUTOFF")
    return server and person.client.compute.rebuild_server(server.id, image=person.image)


def resize(person: Person) -> Any:
    server, compute = person.server("ACTIVE", "SHUTOFF", "VERIFY_RESIZE"), person.client.compute
    if server is None:
        return None
    if server.status == "VERIFY_RESIZE":
        verb = person.chance.choice((compute.confirm_server_resize, compute.revert_server_resize))
        return verb(server.id), server
    return compute.resize_server(server.id, LARGE if server.flavor["original_name"] == "m1.nano" else SMALL), server


def migrate(person: Person) -> Any:
    """An administrator lets it go to another node."""
    server, compute = person.server("ACTIVE", "SHUTOFF"), person.admin.compute
    if server is None:
        return None
    if server.status == "ACTIVE" and person.chance.random() < 0.7:
        return compute.live_migrate_server(server.id, host=None, block_migration="auto"), server
    return compute.migrate_server(server.id), server


def shelve(person: Person) -> Any:
    server, compute = person.server("ACTIVE", "SHUTOFF", "SHELVED_OFFLOADED"), person.client.compute
    if server is None:
        return None
    verb = compute.unshelve_server if server.status == "SHELVED_OFFLOADED" else compute.shelve_server
    return verb(server.id), server


def take_image(person: Person) -> Any:
    server = person.server("ACTIVE", "SHUTOFF")
    return server and person.client.compute.create_server_image(server.id, "copy")


def plug(person: Person) -> Any:
    server, port, network = person.server(), person.free_port(), person.network()
    if server is None or network is None:
        return None
    wish = {"port_id": port.id} if port else {"net_id": network.id}
    return person.client.compute.create_server_interface(server.id, **wish)


def unplug(person: Person) -> Any:
    server = person.server()
    port = server and person.any(person.client.network.ports(device_id=server.id))
    return port and (person.client.compute.delete_server_interface(port.id, server=server.id), port)


def attach(person: Person) -> Any:
    server, volume = person.server(), person.volume("available")
    if server is None or volume is None:
        return None
    return person.client.compute.create_volume_attachment(server.id, volume_id=volume.id)


def detach(person: Person) -> Any:
    volume = person.volume("in-use")
    held = volume and person.chance.choice(volume.attachments)
    return held and (person.client.compute.delete_volume_attachment(held["server_id"], volume.id), volume)


# ---- volumes ---------------------------------------------------------------------------------------------------------


def make_volume(person: Person) -> Any:
    snapshot = person.any(person.client.block_storage.snapshots(status="available"))
    wish = {"snapshot_id": snapshot.id, "size": snapshot.size} if snapshot and person.chance.random() < 0.5 else {}
    return person.client.block_storage.create_volume(**{"size": 1, "name": "v", **wish})


def extend(person: Person) -> Any:
    volume = person.volume("available", "in-use")
    return volume and (person.client.block_storage.extend_volume(volume.id, volume.size + 1), volume)


def take_snapshot(person: Person) -> Any:
    volume = person.volume("available", "in-use")
    return volume and person.client.block_storage.create_snapshot(volume_id=volume.id, is_forced=True)


def back_up(person: Person) -> Any:
    volume = person.volume("available", "in-use")
    return volume and person.client.block_storage.create_backup(volume_id=volume.id, force=True)


def delete_volume(person: Person) -> Any:
    volume = person.volume()
    return volume and (person.client.block_storage.delete_volume(volume.id), volume)


def delete_snapshot(person: Person) -> Any:
    snapshot = person.any(person.client.block_storage.snapshots())
    return snapshot and (person.client.block_storage.delete_snapshot(snapshot.id), snapshot)


def delete_backup(person: Person) -> Any:
    backup = person.any(person.client.block_storage.backups())
    return backup and (person.client.block_storage.delete_backup(backup.id), backup)


# ---- networks --------------------------------------------------------------------------------------------------------


def make_port(person: Person) -> Any:
    network = person.network()
    return network and person.client.network.create_port(network_id=network.id, name="p")


def delete_port(person: Person) -> Any:
    port = person.any(person.client.network.ports())
    return port and (person.client.network.delete_port(port.id), port)


def make_network(person: Person) -> Any:
    network = person.client.network.create_network(name="n")
    cidr = f"10.{person.chance.randrange(100, 200)}.0.0/24"
    return person.client.network.create_subnet(network_id=network.id, cidr=cidr, ip_version=4)


def delete_network(person: Person) -> Any:
    network = person.network()
    return network and (person.client.network.delete_network(network.id), network)


def make_router(person: Person) -> Any:
    return person.client.network.create_router(name="r", external_gateway_info={"network_id": person.public})


def join_router(person: Person) -> Any:
    router, subnet = person.any(person.client.network.routers()), person.any(person.client.network.subnets())
    if router is None or subnet is None:
        return None
    network = person.client.network
    verb = person.chance.choice((network.add_interface_to_router,) * 3 + (network.remove_interface_from_router,))
    return verb(router.id, subnet_id=subnet.id)


def delete_router(person: Person) -> Any:
    router = person.any(person.client.network.routers())
    return router and (person.client.network.delete_router(router.id), router)


def make_group(person: Person) -> Any:
    group = person.any(one for one in person.client.network.security_groups() if one.name != "default")
    if group is None or person.chance.random() < 0.5:
        return person.client.network.create_security_group(name="g")
    return person.client.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=person.chance.randrange(1, 99),
        port_range_max=100, ethertype="IPv4",
    )  # fmt: skip


def delete_group(person: Person) -> Any:
    group = person.any(one for one in person.client.network.security_groups() if one.name != "default")
    return group and (person.client.network.delete_security_group(group.id), group)


def take_address(person: Person) -> Any:
    return person.client.network.create_ip(floating_network_id=person.public)


def lead_address(person: Person) -> Any:
    address, port = person.any(person.client.network.ips()), person.any(person.client.network.ports())
    port_id = port.id if port and person.chance.random() < 0.7 else None
    return address and person.client.network.update_ip(address.id, port_id=port_id)


def delete_address(person: Person) -> Any:
    address = person.any(person.client.network.ips())
    return address and (person.client.network.delete_ip(address.id), address)


DOINGS: tuple[tuple[Doing, int], ...] = (
    (boot, 20), (delete_server, 3), (turn_on_or_off, 14), (reboot, 5), (rebuild, 4), (resize, 8), (migrate, 8),
    (shelve, 4), (take_image, 3), (plug, 6), (unplug, 5), (attach, 12), (detach, 8),
    (make_volume, 12), (extend, 6), (take_snapshot, 6), (back_up, 4), (delete_volume, 7), (delete_snapshot, 3),
    (delete_backup, 2),
    (make_port, 7), (delete_port, 5), (make_network, 4), (delete_network, 2), (make_router, 4), (join_router, 6),
    (delete_router, 2), (make_group, 4), (delete_group, 2), (take_address, 6), (lead_address, 7), (delete_address, 3),
)  # fmt: skip
