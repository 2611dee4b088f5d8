"""Networks, as compute showed them until 2.35: to administrators in its old words, to projects in three."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.compute.proxies.passing import LAST, ask, named
from cumulet.services.compute.room import Compute

NETWORKS = "/networks"
UNKNOWN = (
    "bridge", "bridge_interface", "broadcast", "cidr", "cidr_v6", "created_at", "deleted", "deleted_at", "dhcp_server",
    "dhcp_start", "dns1", "dns2", "enable_dhcp", "gateway", "gateway_v6", "host", "injected", "mtu", "multi_host",
    "netmask", "netmask_v6", "priority", "project_id", "rxtx_base", "share_address", "updated_at", "vlan",
    "vpn_private_address", "vpn_public_address", "vpn_public_port",
)  # fmt: skip
"""What a network of the old kind had and one of today says elsewhere, or not at all."""


def shown(network: dict[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(UNKNOWN), "id": network["id"], "label": network["name"]}


def shown_to_project(network: dict[str, Any]) -> dict[str, Any]:
    return {"id": network["id"], "label": network["name"], "cidr": "None"}


async def _all(room: Compute, call: Call) -> list[dict[str, Any]]:
    """All that the caller sees."""
    found: list[dict[str, Any]] = (await ask(room.networks.api, call, "GET", NETWORKS))["networks"]
    return found


async def _one(room: Compute, call: Call) -> dict[str, Any]:
    found = await ask(room.networks.api, call, "GET", f"{NETWORKS}/{named(call)}")
    network: dict[str, Any] = found["network"]
    return network


async def index(room: Compute, call: Call) -> dict[str, Any]:
    call.allow("os_compute_api:os-networks:list")
    return {"networks": [shown(network) for network in await _all(room, call)]}


async def show(room: Compute, call: Call) -> dict[str, Any]:
    call.allow("os_compute_api:os-networks:show")
    return {"network": shown(await _one(room, call))}


async def index_of_project(room: Compute, call: Call) -> dict[str, Any]:
    call.allow("os_compute_api:os-tenant-networks:list")
    return {"networks": [shown_to_project(network) for network in await _all(room, call)]}


async def show_to_project(room: Compute, call: Call) -> dict[str, Any]:
    call.allow("os_compute_api:os-tenant-networks:show")
    return {"network": shown_to_project(await _one(room, call))}


ROUTES = (
    Endpoint("GET", "/os-networks", index, until=LAST, name="networks"),
    Endpoint("GET", "/os-networks/{id}", show, until=LAST, name="network"),
    Endpoint("GET", "/os-tenant-networks", index_of_project, until=LAST, name="tenant_networks"),
    Endpoint("GET", "/os-tenant-networks/{id}", show_to_project, until=LAST, name="tenant_network"),
)
