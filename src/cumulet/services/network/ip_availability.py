"""How many addresses networks have, and how many are in use; and the pools that floating IPs come from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Query
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.network import ipam, rbac
from cumulet.services.network.errors import HTTPBadRequest
from cumulet.services.network.facets import Facet
from cumulet.services.network.networks.networks import networks
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.room import Network
from cumulet.services.network.subnets.row import AddressRow, SubnetRow

AVAILABILITY = Facet("network-ip-availability", "Availability of addresses")
POOLS = Facet("floatingip-pools", "Pools of floating IPs")
RULE = "get_network_ip_availability"


@cache
def _used_query() -> Query:
    c = AddressRow.c
    return Query(
        sa.select(c.subnet_id, sa.func.count())
        .where(c.network_id.in_(sa.bindparam("networks", expanding=True)))
        .group_by(c.subnet_id)
    )


async def availability(room: Network, found: Sequence[NetworkRow], version: int) -> list[dict[str, Any]]:
    """The counts of some networks, in two queries. `version` 0: of both."""
    if not found:
        return []
    ids = [network.id for network in found]
    async with room.database.read() as tx:
        subnets = await tx.find(SubnetRow, network_id=ids, order_by="created_at")
        used = {row[0]: row[1] for row in await tx.tuples(_used_query(), {"networks": ids})}
    return [
        _shown(network, [s for s in subnets if s.network_id == network.id and version in (0, s.version)], used)
        for network in found
    ]


def _shown(network: NetworkRow, subnets: list[SubnetRow], used: dict[str, int]) -> dict[str, Any]:
    parts = [
        {
            "subnet_id": subnet.id,
            "subnet_name": subnet.name,
            "cidr": subnet.cidr,
            "ip_version": subnet.version,
            "total_ips": sum(pool.last - pool.first + 1 for pool in ipam.pools_of(subnet.pools)),
            "used_ips": used.get(subnet.id, 0),
        }
        for subnet in subnets
    ]
    return {
        "network_id": network.id,
        "network_name": network.name,
        "project_id": network.project_id,
        "tenant_id": network.project_id,
        "total_ips": sum(part["total_ips"] for part in parts),
        "used_ips": sum(part["used_ips"] for part in parts),
        "subnet_ip_availability": parts,
    }


async def _list(room: Network, call: Call) -> dict[str, Any]:
    if not call.may(RULE):
        return {"network_ip_availabilities": []}
    request = call.request
    where: dict[str, Any] = {}
    for name, column in (
        ("network_id", "id"),
        ("network_name", "name"),
        ("tenant_id", "project_id"),
        ("project_id", "project_id"),
    ):
        if request.all(name):
            where[column] = request.all(name)
    async with room.database.read() as tx:
        found = await tx.find(NetworkRow, order_by="id", **where)
    version = request.one("ip_version") or "0"
    if version not in ("0", "4", "6"):
        raise HTTPBadRequest("Invalid input for ip_version. Reason: use 4 or 6.")
    return {"network_ip_availabilities": await availability(room, found, int(version))}


async def _show(room: Network, call: Call) -> dict[str, Any]:
    async with room.database.read() as tx:
        network = await networks.sought(tx, call, call.path["network_id"])
    if not call.may(RULE, networks.target_of(call, network)):
        raise networks.no_such(network.id)
    (shown,) = await availability(room, [network], 0)
    return {"network_ip_availability": shown}


async def _pools(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_floatingip_pool")
    async with room.database.read() as tx:
        external = await tx.rows(NetworkRow, _EXTERNAL, {"caller_project": call.caller.project_id})
        subnets = await tx.find(SubnetRow, network_id=[n.id for n in external], version=4) if external else []
    shown = [
        {
            "subnet_id": subnet.id,
            "subnet_name": subnet.name,
            "network_id": subnet.network_id,
            "cidr": subnet.cidr,
            "project_id": subnet.project_id,
            "tenant_id": subnet.project_id,
        }
        for subnet in subnets
    ]
    return {"floatingip_pools": shown}


_EXTERNAL = Query(
    sa.select(NetworkRow.table).where(NetworkRow.c.external == sa.true(), rbac.own_or_shared(NetworkRow, "network"))
)


def endpoints() -> list[Endpoint]:
    path = "/network-ip-availabilities"
    return [
        Endpoint("GET", path, _list, name="list_network_ip_availabilities"),
        Endpoint("GET", path + "/{network_id}", _show, name="show_network_ip_availability"),
        Endpoint("GET", "/floatingip-pools", _pools, name="list_floatingip_pools"),
    ]
