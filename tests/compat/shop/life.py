"""The life of the application: made, looked at, visited, removed; and nothing of it is left."""

from __future__ import annotations

import time
from typing import Any, Protocol
from urllib.error import URLError
from urllib.request import urlopen

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openstack.connection import Connection

from tests.compat.shop.plan import plan

IMAGE = "tiny"
VISITS_SECONDS = 180.0


class Maker(Protocol):
    """A client, as someone who automates a cloud would use it."""

    def make(self, image: str, public_key: str) -> None: ...

    def remove(self) -> None: ...


def lives(maker: Maker, connection: Connection, *, visit: bool = False) -> str:
    """What happened, in a sentence. Raises AssertionError."""
    key = Ed25519PrivateKey.generate().public_key()
    cloud: Any = connection
    cloud.network.find_security_group("default")  # made at the first look, and it stays
    before = things(cloud)
    maker.make(IMAGE, key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
    look(cloud)
    told = f" It answered: {' · '.join(visits(cloud))}." if visit else ""
    maker.remove()
    left = things(cloud) - before
    assert not left, f"left behind: {sorted(left)}"
    return f"Made and removed without a trace.{told}"


def look(cloud: Any) -> None:
    """All of it is there as planned."""
    servers = {server.name: server for server in cloud.compute.servers()}
    for wanted in plan().servers:
        seen = servers[wanted.name]
        fixed = [each["addr"] for each in seen.addresses[wanted.tier] if each["OS-EXT-IPS:type"] == "fixed"]
        assert (seen.status, fixed) == ("ACTIVE", [wanted.address]), seen
        (port,) = cloud.network.ports(device_id=seen.id)
        (group,) = port.security_group_ids
        assert cloud.network.get_security_group(group).name == wanted.tier
    (attached,) = servers[plan().volume_server].attached_volumes
    assert cloud.block_storage.get_volume(attached["id"]).size == plan().volume_gib


def visits(cloud: Any) -> list[str]:
    """What both web servers say: each visit is handed to the other, and each asks the data. In the end all answer."""
    (address,) = [ip.floating_ip_address for ip in cloud.network.ips() if ip.port_id]
    deadline = time.monotonic() + VISITS_SECONDS
    heard: set[str] = set()
    expected = {f"{server.name} sells apples" for server in plan().servers if server.tier.endswith("-web")}
    while not expected <= heard:
        assert time.monotonic() < deadline, f"http://{address}/ said only {sorted(heard)}"
        try:
            with urlopen(f"http://{address}/cgi-bin/index.cgi", timeout=10) as answer:
                heard.add(answer.read().decode().strip())
        except (URLError, OSError, ValueError):
            time.sleep(1)
    return sorted(expected)


def things(cloud: Any) -> set[str]:
    """What an administrator sees of what the application is made of, and of what that brings along."""
    lists = (
        cloud.compute.servers(all_projects=True), cloud.compute.flavors(is_public=None), cloud.compute.keypairs(),
        cloud.block_storage.volumes(all_projects=True), cloud.network.networks(), cloud.network.subnets(),
        cloud.network.ports(), cloud.network.routers(), cloud.network.ips(), cloud.network.security_groups(),
    )  # fmt: skip
    return {f"{type(thing).__name__} {thing.id} {thing.name}" for found in lists for thing in found}
