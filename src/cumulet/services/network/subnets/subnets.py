"""The noun `subnet`: what a client sees and sends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter
from cumulet.core.web.wire import Bool, Cidr, Enum, Int, Ip, ListOf, Text, Uuid, parse_bool
from cumulet.services.network import ipam, rbac
from cumulet.services.network.address_pools.allocation import allocate, chosen_pool
from cumulet.services.network.errors import HTTPBadRequest, InvalidInput
from cumulet.services.network.facets import Facet, OrNull, Passed
from cumulet.services.network.networks.errors import NetworkNotFound
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.standard import STANDARD, json_text
from cumulet.services.network.subnets import operations
from cumulet.services.network.subnets.errors import SubnetNotFound
from cumulet.services.network.subnets.operations import NewSubnet
from cumulet.services.network.subnets.row import SubnetRow
from cumulet.services.network.wires import IpVersion, Pools, Routes

Mode = Enum("slaac", "dhcpv6-stateful", "dhcpv6-stateless").or_null()


@cache
def _visible() -> Clause:
    """Own, of an own network, or of one that is shared; those of external networks are their owner's business."""
    return sa.or_(
        SubnetRow.c.project_id == rbac.caller_project(),
        SubnetRow.c.network_project_id == rbac.caller_project(),
        SubnetRow.c.network_id.in_(rbac.fully_shared_networks()),
    )


def _shared_filter(values: list[bool]) -> tuple[str, Clause, Mapping[str, Any]]:
    """Subnets of networks that are shared with the caller, or of others."""
    wanted = values[-1]
    shared = rbac.fully_shared_networks()
    return (
        f"shared {wanted}",
        SubnetRow.c.network_id.in_(shared) if wanted else SubnetRow.c.network_id.not_in(shared),
        {},
    )


async def _around(tx: Transaction, wish: dict[str, Any]) -> Mapping[str, object]:
    """The network that a new subnet is for, as rules ask about it."""
    network = await tx.get(NetworkRow, id=wish["network_id"])
    if network is None:
        raise NetworkNotFound(f"Network {wish['network_id']} could not be found.")
    return {"network:project_id": network.project_id, "network:tenant_id": network.project_id}


subnets = Noun(
    "/subnets",
    "subnet",
    "subnets",
    SubnetRow,
    [
        *STANDARD,
        Facet(
            fields=(
                Field("network_id", Uuid, create=REQUIRED),
                Field("ip_version", IpVersion, create=OPTIONAL, source="version"),
                Field("cidr", Cidr.or_null(), create=OPTIONAL),
                Field("prefixlen", Int(0, 128), create=OPTIONAL, source=""),
                Field("gateway_ip", Ip.or_null(), create=OPTIONAL, update=OPTIONAL, source=OrNull("gateway")),
                Field("enable_dhcp", Bool, create=True, update=OPTIONAL, source="dhcp"),
                Field("allocation_pools", Pools, create=OPTIONAL, update=OPTIONAL, source=Passed("pools")),
                Field(
                    "dns_nameservers",
                    ListOf(Ip, most=64, unique=True),
                    create=[],
                    update=OPTIONAL,
                    source=Passed("dns"),
                ),
                Field("host_routes", Routes, create=[], update=OPTIONAL, source=Passed("routes")),
                Field("ipv6_ra_mode", Mode, create=OPTIONAL, source=OrNull("ra_mode")),
                Field("ipv6_address_mode", Mode, create=OPTIONAL, source=OrNull("address_mode")),
            )
        ),
        Facet("tag-ext", "Tags on subnets, ports, routers and subnet pools"),
        Facet(
            "subnet_allocation",
            "Subnets from pools",
            (Field("subnetpool_id", Text(64).or_null(), create=OPTIONAL, source=OrNull("subnetpool_id")),),
        ),
        Facet(
            "default-subnetpools",
            "Subnets from the default pool",
            (Field("use_default_subnetpool", Bool, create=False, source=""),),
        ),
        Facet(
            "segment",
            "Segments of networks",
            (
                Field(
                    "segment_id",
                    Uuid.or_null(),
                    create=OPTIONAL,
                    update=OPTIONAL,
                    source=OrNull("segment_id"),
                    rule="get_subnet:segment_id",
                ),
            ),
        ),
        Facet(
            "subnet-service-types",
            "Service types of subnets",
            (
                Field(
                    "service_types",
                    ListOf(Text(255, 1), most=16, unique=True),
                    create=[],
                    update=OPTIONAL,
                    source=Passed("service_types"),
                ),
            ),
        ),
    ],
    missing=SubnetNotFound,
    quota="subnet",
    sees=lambda call: None if rbac.sees_all(call) else _visible(),
    aspects=lambda call, row: {"network:project_id": row.network_project_id},
    surroundings=_around,
    filters=[Filter("shared", parse=parse_bool, clause=_shared_filter)],
)
subnets.reads()


@subnets.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> SubnetRow:
    network = await tx.get(NetworkRow, id=wish["network_id"])
    if network is None:
        raise NetworkNotFound(f"Network {wish['network_id']} could not be found.")
    pool = await chosen_pool(tx, call, wish)
    cidr = await allocate(tx, pool, wish) if pool else _given_cidr(wish)
    new = NewSubnet(
        project_id=wish["project_id"],
        name=wish["name"],
        description=wish["description"],
        tags=wish.get("tags", ()),
        cidr=cidr,
        gateway=wish.get("gateway_ip", ""),
        dhcp=wish["enable_dhcp"],
        pools=[(p["start"], p["end"]) for p in wish["allocation_pools"]] if "allocation_pools" in wish else None,
        dns=wish["dns_nameservers"],
        routes=wish["host_routes"],
        service_types=wish["service_types"],
        ra_mode=wish.get("ipv6_ra_mode") or "",
        address_mode=wish.get("ipv6_address_mode") or "",
        subnetpool_id=pool.id if pool else "",
        segment_id=wish.get("segment_id") or "",
    )
    row = await operations.make(room, tx, network, new)
    if pool and pool.scope_id:
        column = "scope_v4" if row.version == 4 else "scope_v6"
        await tx.update(NetworkRow, {"id": network.id}, **{column: pool.scope_id})
    return row


def _given_cidr(wish: Mapping[str, Any]) -> str:
    if not wish.get("cidr"):
        raise HTTPBadRequest("Bad subnets request: a subnet requires a cidr, or a subnetpool to take one from.")
    if wish.get("prefixlen") is not None:
        raise HTTPBadRequest("Bad subnets request: prefixlen is for subnets from a pool only.")
    cidr: str = wish["cidr"]
    version = wish.get("ip_version")
    if version is None:
        raise HTTPBadRequest("Failed to parse request. Required attribute 'ip_version' not specified")
    if ipam.network_of(cidr).version != version:
        raise HTTPBadRequest(f"Invalid input for cidr. Reason: '{cidr}' is not of IP version {version}.")
    return cidr


@subnets.updating
async def update(room: Network, call: Call, tx: Transaction, row: SubnetRow, wish: dict[str, Any]) -> SubnetRow:
    changes: dict[str, Any] = {name: wish[name] for name in ("name", "description") if name in wish}
    if "gateway_ip" in wish:
        changes["gateway"] = wish["gateway_ip"] or ""
    if "enable_dhcp" in wish:
        if not wish["enable_dhcp"] and (row.ra_mode or row.address_mode):
            raise InvalidInput("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is False.")
        changes["dhcp"] = wish["enable_dhcp"]
    if "allocation_pools" in wish:
        changes["pools"] = [(pool["start"], pool["end"]) for pool in wish["allocation_pools"]]
    if "dns_nameservers" in wish:
        changes["dns"] = json_text(operations.check_dns(room, wish["dns_nameservers"]))
    if "host_routes" in wish:
        changes["routes"] = json_text(operations.check_routes(room, wish["host_routes"], row.version))
    if "service_types" in wish:
        changes["service_types"] = json_text(wish["service_types"])
    if "segment_id" in wish:
        changes["segment_id"] = await operations.checked_association(tx, row, wish["segment_id"] or "")
    return await operations.update(room, tx, row, changes)


@subnets.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: SubnetRow) -> None:
    await operations.vacate(room, tx, row)
    await operations.erase_subnet(room, tx, row)
    network = await tx.get(NetworkRow, id=row.network_id)
    if network:
        await operations.list_in_network(room, tx, network)
