"""The pages of the metadata service and of the config drive, as pure functions of what is known of a guest.

Two dialects: OpenStack's (`/openstack/<version>/…`) and EC2's (`/<version>/meta-data/…`, a tree with listings).
Each version shows what it showed when it was new.
"""

from __future__ import annotations

import base64
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from cumulet.contracts.machines import AddressConfig, GuestData
from cumulet.node.metadata.ec2 import EC2_VERSIONS, ec2_json, ec2_page

OPENSTACK_VERSIONS = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
)
_NEWEST = OPENSTACK_VERSIONS[-1]

_SINCE = {
    "meta_data.json": "2012-08-10",
    "user_data": "2012-08-10",
    "password": "2013-04-04",
    "vendor_data.json": "2013-10-17",
    "network_data.json": "2015-10-15",
    "vendor_data2.json": "2016-10-06",
}
"""The files of the OpenStack form, in the order of their listing, and the first version that has each."""

_CONFIG_DRIVE_EC2 = ("2009-04-04", "latest")
SEED_BYTES = 512


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its bytes and their media type."""

    body: bytes
    media_type: str = "text/plain; charset=UTF-8"


def page(path: str, guest: GuestData, uuid: str, *, address: str, seed: bytes, password: bytes = b"") -> Page | None:
    """The page at this path, or None if there is none.

    `address` is the one the guest asked from, `seed` some fresh random bytes, `password` what it has stored.
    """
    parts = [part for part in path.split("/") if part]
    if not parts:
        return _listing([*EC2_VERSIONS, "latest"])
    if parts[0] != "openstack":
        body = ec2_page(parts, guest, address, user_data(guest))
        return None if body is None else Page(body)
    if len(parts) == 1:
        return _listing([*OPENSTACK_VERSIONS, "latest"])
    if parts[1] == "content":
        return _content(parts[2:], guest)
    if parts[1] not in (*OPENSTACK_VERSIONS, "latest") or len(parts) > 3:
        return None
    version = _NEWEST if parts[1] == "latest" else parts[1]
    names = _names(version, guest)
    if len(parts) == 2:
        return _listing(names)
    return _file(parts[2], version, guest, uuid, seed, password) if parts[2] in names else None


def config_drive_files(guest: GuestData, uuid: str, *, seed: bytes | None = None) -> Mapping[str, bytes]:
    """Path → content of every file on the config drive. Random bytes for the guest are drawn here unless given."""
    seed = secrets.token_bytes(SEED_BYTES) if seed is None else seed
    files: dict[str, bytes] = {}
    data = user_data(guest)
    for version in _CONFIG_DRIVE_EC2:
        files[f"ec2/{version}/meta-data.json"] = ec2_json(guest, version, _first_address(guest))
        if data is not None:
            files[f"ec2/{version}/user-data"] = data
    for label in (*OPENSTACK_VERSIONS, "latest"):
        version = _NEWEST if label == "latest" else label
        for name in _names(version, guest):
            if name != "password":  # Only the service can receive one.
                found = _file(name, version, guest, uuid, seed, b"")
                files[f"openstack/{label}/{name}"] = found.body
    for number, (_, content) in enumerate(guest.files):
        files[f"openstack/content/{number:04}"] = _decoded(content)
    return files


def user_data(guest: GuestData) -> bytes | None:
    """What the owner gave for the guest's first boot."""
    return _decoded(guest.user_data) if guest.user_data else None


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=False)


def _listing(names: list[str]) -> Page:
    return Page("\n".join(names).encode())


def _names(version: str, guest: GuestData) -> list[str]:
    return [name for name, since in _SINCE.items() if since <= version and (name != "user_data" or guest.user_data)]


def _json(value: object) -> Page:
    return Page(msgspec.json.encode(value), "application/json")


def _file(name: str, version: str, guest: GuestData, uuid: str, seed: bytes, password: bytes) -> Page:
    match name:
        case "meta_data.json":
            return _json(_meta_data(version, guest, uuid, seed))
        case "user_data":
            return Page(user_data(guest) or b"", "application/octet-stream")
        case "network_data.json":
            return _json(_network_data(guest))
        case "vendor_data2.json":
            return _json({"static": {}})
        case "password":
            return Page(password)
        case _:
            return _json({})


def _content(parts: list[str], guest: GuestData) -> Page | None:
    if len(parts) != 1 or not parts[0].isascii() or not parts[0].isdigit():
        return None
    number = int(parts[0])
    if number >= len(guest.files) or f"{number:04}" != parts[0]:
        return None
    return Page(_decoded(guest.files[number][1]), "application/octet-stream")


def _meta_data(version: str, guest: GuestData, uuid: str, seed: bytes) -> dict[str, object]:
    document: dict[str, object] = {
        "uuid": uuid,
        "availability_zone": guest.availability_zone,
        "hostname": guest.hostname,
        "launch_index": guest.launch_index,
        "name": guest.name,
    }
    if guest.metadata:
        document["meta"] = dict(guest.metadata)
    if guest.files:
        document["files"] = [
            {"content_path": f"/content/{number:04}", "path": path} for number, (path, _) in enumerate(guest.files)
        ]
    if guest.keys:
        document["public_keys"] = {key.name: key.text for key in guest.keys}
        document["keys"] = [{"name": key.name, "type": key.type, "data": key.text} for key in guest.keys]
    if guest.admin_password:
        document["admin_pass"] = guest.admin_password
    if version >= "2013-04-04":
        document["random_seed"] = base64.b64encode(seed).decode()
    if version >= "2015-10-15":
        document["project_id"] = guest.project_id
    if version >= "2016-06-30":
        document["devices"] = [
            {"type": "nic", "bus": "pci", "address": "", "mac": nic.mac, "tags": [nic.tag]}
            for nic in guest.networks
            if nic.tag
        ]
    if version >= "2020-10-14":
        document["dedicated_cpus"] = []
    return document


def _network_data(guest: GuestData) -> dict[str, object]:
    links: list[dict[str, object]] = []
    networks: list[dict[str, object]] = []
    services: dict[str, None] = {}
    for nic in guest.networks:
        link = f"tap{nic.port_id[:11]}"
        links.append(
            {"id": link, "vif_id": nic.port_id, "type": nic.type, "mtu": nic.mtu, "ethernet_mac_address": nic.mac}
        )
        for address in nic.addresses:
            services.update(dict.fromkeys(address.dns))
            entry = {"id": f"network{len(networks)}", "link": link, "network_id": nic.network_id}
            networks.append({**entry, **_addressing(address)})
    return {
        "links": links,
        "networks": networks,
        "services": [{"type": "dns", "address": name} for name in services],
    }


def _addressing(config: AddressConfig) -> dict[str, object]:
    if config.dhcp:
        return {"type": f"ipv{config.version}_dhcp"}
    network = ipaddress.ip_network(config.cidr, strict=False)
    routes = [("0.0.0.0/0" if config.version == 4 else "::/0", config.gateway)] if config.gateway else []
    return {
        "type": f"ipv{config.version}",
        "ip_address": config.address,
        "netmask": str(network.netmask),
        "routes": [_route(destination, hop) for destination, hop in (*routes, *config.routes)],
        "services": [{"type": "dns", "address": name} for name in config.dns],
    }


def _route(destination: str, hop: str) -> dict[str, str]:
    network = ipaddress.ip_network(destination, strict=False)
    return {"network": str(network.network_address), "netmask": str(network.netmask), "gateway": hop}


def _first_address(guest: GuestData) -> str:
    return next((a.address for nic in guest.networks for a in nic.addresses if a.version == 4), "")
