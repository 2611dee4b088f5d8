"""Whether a router may answer outside for its guests, and what must stay as it is while it does."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from cumulet.core.db import Transaction
from cumulet.services.network.ipam import network_of
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.addresses import given_of
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.routers.errors import (
    RouterGatewayInUseByNDPProxy,
    RouterGatewayNotValid,
    RouterInterfaceInUseByNDPProxy,
)
from cumulet.services.network.routers.row import NdpProxyRow, RouterRow
from cumulet.services.network.stirring import stir
from cumulet.services.network.subnets.row import SubnetRow


async def enabled(tx: Transaction, router: RouterRow, changes: Mapping[str, Any], wanted: bool | None) -> bool:
    """Whether a router with these changes is to answer for its guests. Raises RouterGatewayNotValid."""
    port_id: str = changes.get("gateway_port_id", router.gateway_port_id)
    if wanted is False or (wanted is None and not (router.ndp_proxy and port_id)):
        return False
    network = await tx.get(NetworkRow, id=changes.get("gateway_network_id", router.gateway_network_id))
    port = await tx.get(PortRow, id=port_id) if port_id else None
    if network is None or port is None:
        raise _unfit(router, "it has no external gateway")
    if not network.scope_v6:
        raise _unfit(router, f"external network {network.id} has no IPv6 address scope")
    if not any(":" in has.ip_address for has in given_of(port.fixed_ips)):
        raise _unfit(router, "its gateway has no IPv6 address")
    return True


def _unfit(router: RouterRow, why: str) -> RouterGatewayNotValid:
    return RouterGatewayNotValid(f"Can not enable ndp proxy on router {router.id}: {why}.")


async def refuse_gateway_in_use(tx: Transaction, router: RouterRow) -> None:
    """Raise while guests are reached by way of the gateway."""
    if await tx.count(NdpProxyRow, router_id=router.id):
        raise RouterGatewayInUseByNDPProxy(
            f"Unable to unset external gateway of router {router.id}, there are one or more ndp proxies still in use "
            "on the router."
        )


async def refuse_leg_in_use(tx: Transaction, router: RouterRow, going: Iterable[SubnetRow]) -> None:
    """Raise while guests in one of these subnets are reached from outside."""
    addresses = [ipaddress.ip_address(row.ip) for row in await tx.find(NdpProxyRow, router_id=router.id)]
    for subnet in going:
        if any(address in network_of(subnet.cidr) for address in addresses):
            raise RouterInterfaceInUseByNDPProxy(
                f"Unable to remove subnet {subnet.id} from router {router.id}, there are one or more ndp proxies still "
                "in use on the subnet."
            )


async def forget_addresses(tx: Transaction, port_id: str, kept: Iterable[str] = ()) -> None:
    """A port goes, or has only these addresses from now on: for others nobody answers any more."""
    gone = [row for row in await tx.find(NdpProxyRow, port_id=port_id) if row.ip not in set(kept)]
    if gone:
        await tx.delete(NdpProxyRow, id=[row.id for row in gone])
        await stir(tx, RouterRow, "router", {row.router_id for row in gone})
