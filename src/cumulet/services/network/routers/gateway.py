"""A router's way out: its port on an external network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.services.network import errors
from cumulet.services.network.floating_ips.row import FloatingIpRow
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.addressing import Wanted, given_of
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.ports import usable_network, wanted_addresses
from cumulet.services.network.ports.row import GATEWAY, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.legs import legs_of, overlap
from cumulet.services.network.routers.proxying import refuse_gateway_in_use
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.standard import json_text
from cumulet.services.network.subnets.row import SubnetRow

NO_GATEWAY: dict[str, Any] = {
    "gateway_port_id": "",
    "gateway_network_id": "",
    "gateway": "null",
    "snat": True,
}


async def set_gateway(
    room: Network, tx: Transaction, call: Call, router: RouterRow, info: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Give a router this gateway, or none; the columns of its row that changed."""
    before = await tx.get(PortRow, id=router.gateway_port_id) if router.gateway_port_id else None
    network_id = info.get("network_id") if info else None
    if not info or not network_id:
        await _refuse_in_use(tx, router)
        if before:
            await operations.erase(room, tx, before)
        return dict(NO_GATEWAY)
    network = await usable_network(tx, call, network_id)
    if not network.external:
        raise errors.InvalidInput(
            f"Bad router request: Network {network.id} is not an external network.", type_name="BadRequest"
        )
    wanted = wanted_addresses(info.get("external_fixed_ips"))
    if before and before.network_id == network.id:
        port = before
        if wanted is not None:
            port = await operations.change(room, tx, before, addresses=wanted or _any(before))
    else:
        if before:
            await _refuse_in_use(tx, router)
            await operations.erase(room, tx, before)
        new = NewPort(
            project_id="",
            device_id=router.id,
            device_owner=GATEWAY,
            host=router.host,
            addresses=wanted,
            port_security=False,
        )
        port = await operations.make(room, tx, network, new)
    await _refuse_overlap(tx, router, port)
    snat = info.get("enable_snat")
    return gateway_columns(network, port, snat=router.snat if snat is None else snat)


def gateway_columns(network: NetworkRow, port: PortRow, *, snat: bool) -> dict[str, Any]:
    """What a router's row keeps of its gateway."""
    shown = {
        "network_id": network.id,
        "external_fixed_ips": given_of(port.fixed_ips),
        "enable_snat": snat,
    }
    return {
        "gateway_port_id": port.id,
        "gateway_network_id": network.id,
        "gateway": json_text(shown),
        "snat": snat,
    }


def _any(port: PortRow) -> list[Wanted]:
    return [Wanted(has.subnet_id) for has in given_of(port.fixed_ips)]


async def _refuse_overlap(tx: Transaction, router: RouterRow, port: PortRow) -> None:
    legs = await legs_of(tx, router)
    ids = [has.subnet_id for has in given_of(port.fixed_ips)]
    mine = await tx.find(SubnetRow, id=ids) if ids else []
    other = overlap(mine, [subnet for leg in legs if leg.port.id != port.id for subnet in leg.subnets])
    if other:
        raise errors.InvalidInput(
            f"Bad router request: Cidr of the gateway overlaps with cidr {other.cidr} of subnet {other.id}.",
            type_name="BadRequest",
        )


async def _refuse_in_use(tx: Transaction, router: RouterRow) -> None:
    await refuse_gateway_in_use(tx, router)
    used = await tx.find(FloatingIpRow, router_id=router.id)
    if used:
        raise errors.RouterExternalGatewayInUseByFloatingIp(
            f"Gateway cannot be updated for router {router.id}, since a gateway to external network "
            f"{router.gateway_network_id} is required by one or more floating IPs."
        )
