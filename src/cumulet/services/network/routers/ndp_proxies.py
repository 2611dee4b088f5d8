"""The noun `ndp_proxy`: guests that are reached from outside at their own IPv6 addresses."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Ip, Uuid
from cumulet.services.network.address_pools.row import SubnetPoolRow
from cumulet.services.network.facets import Facet
from cumulet.services.network.floating_ips.association import usable_port
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.addresses import Given, given_of
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.errors import (
    AddressScopeConflict,
    InvalidAddress,
    NDPProxyNotFound,
    PortUnreachableRouter,
    RouterNDPProxyNotEnable,
)
from cumulet.services.network.routers.legs import legs_of
from cumulet.services.network.routers.routers import routers
from cumulet.services.network.routers.row import NdpProxyRow, RouterRow
from cumulet.services.network.standard import NEWER, standard
from cumulet.services.network.stirring import stir
from cumulet.services.network.subnets.row import SubnetRow

ndp_proxies = Noun(
    "/ndp-proxies",
    "ndp_proxy",
    "ndp_proxies",
    NdpProxyRow,
    [
        *NEWER,
        Facet(
            "l3-ndp-proxy",
            "IPv6 addresses of guests that routers answer for",
            (
                Field("router_id", Uuid, create=REQUIRED),
                Field("port_id", Uuid, create=REQUIRED),
                Field("ip_address", Ip.or_null(), create=OPTIONAL, source="ip"),
            ),
        ),
    ],
    missing=NDPProxyNotFound,
)
ndp_proxies.reads()


@ndp_proxies.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> NdpProxyRow:
    router: RouterRow = await routers.sought(tx, call, wish["router_id"])
    if not router.ndp_proxy:
        raise RouterNDPProxyNotEnable(
            f"The enable_ndp_proxy parameter of router {router.id} must be set as True while create ndp proxy entry "
            "on it."
        )
    port = await usable_port(tx, call, wish["port_id"])
    address = await _reachable(tx, router, port, wish.get("ip_address") or "")
    await _refuse_other_scope(tx, router, address)
    row = NdpProxyRow(**standard(wish, room.clock), router_id=router.id, port_id=port.id, ip=address.ip_address)
    await tx.insert(row)
    await stir(tx, RouterRow, "router", [router.id])
    return row


async def _reachable(tx: Transaction, router: RouterRow, port: PortRow, asked: str) -> Given:
    """The address of the port that is meant: the one asked for, or the first that the router reaches."""
    fit = [has for has in given_of(port.fixed_ips) if ":" in has.ip_address and asked in ("", has.ip_address)]
    if asked and not fit:
        raise InvalidAddress(f"The address {asked} is invalid, reason: it is not an IPv6 address of port {port.id}.")
    subnets = {subnet.id for leg in await legs_of(tx, router) if not leg.is_gateway for subnet in leg.subnets}
    for has in fit:
        if has.subnet_id in subnets:
            return has
    raise PortUnreachableRouter(
        f"The port {port.id} cannot reach the router {router.id} by IPv6 subnet.",
    )


async def _refuse_other_scope(tx: Transaction, router: RouterRow, address: Given) -> None:
    """Within one scope no address is there twice; outside of it somebody else may have it."""
    outside = await tx.get(NetworkRow, id=router.gateway_network_id)
    subnet = await tx.get(SubnetRow, id=address.subnet_id)
    pool = await tx.get(SubnetPoolRow, id=subnet.subnetpool_id) if subnet and subnet.subnetpool_id else None
    outer, inner = outside.scope_v6 if outside else "", pool.scope_id if pool else ""
    if not inner or inner != outer:
        raise AddressScopeConflict(
            f"The IPv6 address scope {outer or 'none'} of external network conflict with internal network's IPv6 "
            f"address scope {inner or 'none'}."
        )


@ndp_proxies.updating
async def update(room: Network, call: Call, tx: Transaction, row: NdpProxyRow, wish: dict[str, Any]) -> NdpProxyRow:
    return await ndp_proxies.save(room, tx, row, **wish)  # type: ignore[no-any-return]


@ndp_proxies.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: NdpProxyRow) -> None:
    await stir(tx, RouterRow, "router", [row.router_id])
