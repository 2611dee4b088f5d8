"""A router's legs in networks: how they are put there and taken away."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.lib.ids import is_uuid
from cumulet.services.network import ipam, rbac
from cumulet.services.network.errors import HTTPBadRequest, InvalidInput, ResourceInUse
from cumulet.services.network.floating_ips.row import FloatingIpRow, ForwardingRow
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.addresses import Wanted, given_of
from cumulet.services.network.ports.errors import PortInUse, PortNotFound
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.row import INTERFACE, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.errors import (
    RouterInterfaceInUseByFloatingIP,
    RouterInterfaceInUseByRoute,
    RouterInterfaceNotFound,
    RouterInterfaceNotFoundForSubnet,
)
from cumulet.services.network.routers.legs import Leg, legs_of, overlap
from cumulet.services.network.routers.proxying import refuse_leg_in_use
from cumulet.services.network.routers.routes import routes_of
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.standard import bump
from cumulet.services.network.stirring import stir
from cumulet.services.network.subnets.errors import SubnetNotFound
from cumulet.services.network.subnets.row import SubnetRow


async def add(room: Network, tx: Transaction, call: Call, router: RouterRow, body: Mapping[str, Any]) -> dict[str, Any]:
    """Put a leg into a subnet, or make a given port one."""
    subnet_id, port_id = _named(body)
    if bool(subnet_id) == bool(port_id):
        raise _bad("Cannot specify both subnet-id and port-id, and one of them is needed.")
    port = await (
        _by_port(room, tx, call, router, port_id) if port_id else _by_subnet(room, tx, call, router, subnet_id)
    )
    await stir(tx, RouterRow, "router", [router.id])
    await bump(room, tx, RouterRow, router.id)
    return _info(router, port, [has.subnet_id for has in given_of(port.fixed_ips)])


async def _by_subnet(room: Network, tx: Transaction, call: Call, router: RouterRow, subnet_id: str) -> PortRow:
    subnet = await tx.get(SubnetRow, id=subnet_id)
    network = await tx.get(NetworkRow, id=subnet.network_id) if subnet else None
    if subnet is None or network is None or not _may_join(call, subnet, network):
        raise SubnetNotFound(f"Subnet {subnet_id} could not be found.")
    if not subnet.gateway:
        raise _bad("Subnet for router interface must have a gateway IP")
    await _refuse_clash(tx, router, [subnet])
    if subnet.version == 6:
        extended = await _extend(room, tx, router, subnet)
        if extended:
            return extended
    return await join(room, tx, router, subnet, network)


async def join(room: Network, tx: Transaction, router: RouterRow, subnet: SubnetRow, network: NetworkRow) -> PortRow:
    """A leg at the gateway address of a subnet."""
    new = NewPort(
        project_id=router.project_id,
        device_id=router.id,
        device_owner=INTERFACE,
        host=router.host,
        addresses=[Wanted(subnet.id, subnet.gateway)],
        port_security=False,
        counted=False,
    )
    port = await operations.make(room, tx, network, new)
    await stir(tx, RouterRow, "router", [router.id])
    return port


async def _extend(room: Network, tx: Transaction, router: RouterRow, subnet: SubnetRow) -> PortRow | None:
    """Legs of one network share a port for all their IPv6 subnets."""
    for leg in await legs_of(tx, router):
        if leg.port.network_id == subnet.network_id and any(own.version == 6 for own in leg.subnets):
            has = [Wanted(address.subnet_id, address.ip_address) for address in leg.addresses]
            return await operations.change(room, tx, leg.port, addresses=[*has, Wanted(subnet.id, subnet.gateway)])
    return None


def _may_join(call: Call, subnet: SubnetRow, network: NetworkRow) -> bool:
    caller = call.caller.project_id
    own = caller in (subnet.project_id, network.project_id)
    return own or rbac.shared_with(network.shared_with, caller) or rbac.sees_all(call)


async def _by_port(room: Network, tx: Transaction, call: Call, router: RouterRow, port_id: str) -> PortRow:
    port = await tx.get(PortRow, id=port_id)
    if port is None or not (port.project_id == call.caller.project_id or rbac.sees_all(call)):
        raise PortNotFound(f"Port {port_id} could not be found.")
    if port.device_id:
        raise PortInUse(
            f"Unable to complete operation on port {port.id} for network {port.network_id}. Port already has an "
            f"attached device {port.device_id}."
        )
    given = given_of(port.fixed_ips)
    if not given:
        raise _bad("Router port must have at least one fixed IP")
    subnets = await tx.find(SubnetRow, id=[has.subnet_id for has in given])
    if sum(subnet.version == 4 for subnet in subnets) > 1:
        raise _bad("Cannot have multiple IPv4 subnets on router port")
    await _refuse_clash(tx, router, subnets)
    return await operations.change(
        room,
        tx,
        port,
        device_id=router.id,
        device_owner=INTERFACE,
        host=router.host,
        port_security=False,
        group_ids=[],
        pair_list=[],
    )


async def _refuse_clash(tx: Transaction, router: RouterRow, subnets: list[SubnetRow]) -> None:
    has = [subnet for leg in await legs_of(tx, router) for subnet in leg.subnets]
    for subnet in subnets:
        if any(subnet.id == other.id for other in has):
            raise _bad(f"Router already has a port on subnet {subnet.id}")
    other = overlap(subnets, has)
    if other:
        raise _bad(
            f"Cidr {subnets[0].cidr} of subnet {subnets[0].id} overlaps with cidr {other.cidr} of subnet {other.id}"
        )


async def remove(room: Network, tx: Transaction, router: RouterRow, body: Mapping[str, Any]) -> dict[str, Any]:
    """Take a leg away, by its port or its subnet."""
    subnet_id, port_id = _named(body)
    if not subnet_id and not port_id:
        raise _bad("Either subnet_id or port_id must be specified")
    leg = _leg(await legs_of(tx, router), router, subnet_id, port_id)
    going = [subnet for subnet in leg.subnets if not subnet_id or subnet.id == subnet_id]
    if not going:
        raise ResourceInUse(
            f"The subnet ID {subnet_id} does not match that of port {port_id}.",
            type_name="SubnetMismatchForPort",
        )
    await _refuse_needed(tx, router, going)
    left = [has for has in leg.addresses if has.subnet_id not in {subnet.id for subnet in going}]
    if left and subnet_id:
        wanted = [Wanted(has.subnet_id, has.ip_address) for has in left]
        await operations.change(room, tx, leg.port, addresses=wanted)
    else:
        await operations.erase(room, tx, leg.port)
    await stir(tx, RouterRow, "router", [router.id])
    await bump(room, tx, RouterRow, router.id)
    return _info(router, leg.port, [subnet.id for subnet in going])


def _leg(legs: list[Leg], router: RouterRow, subnet_id: str, port_id: str) -> Leg:
    for leg in legs:
        if leg.is_gateway:
            continue
        if port_id and leg.port.id == port_id:
            return leg
        if not port_id and any(subnet.id == subnet_id for subnet in leg.subnets):
            return leg
    if port_id:
        raise RouterInterfaceNotFound(f"Router {router.id} does not have an interface with id {port_id}")
    raise RouterInterfaceNotFoundForSubnet(f"Router {router.id} has no interface on subnet {subnet_id}")


async def _refuse_needed(tx: Transaction, router: RouterRow, going: list[SubnetRow]) -> None:
    await refuse_leg_in_use(tx, router, going)
    networks = [ipam.network_of(subnet.cidr) for subnet in going]
    floating = await tx.find(FloatingIpRow, router_id=router.id)
    fixed = [row.fixed for row in floating if row.fixed]
    if floating:
        forwardings = await tx.find(ForwardingRow, floating_ip_id=[row.id for row in floating])
        fixed += [forwarding.internal_ip for forwarding in forwardings]
    if any(ipaddress.ip_address(ip) in network for ip in fixed for network in networks):
        raise RouterInterfaceInUseByFloatingIP(
            f"Router interface for subnet {going[0].id} on router {router.id} cannot be deleted, as it is required by "
            "one or more floating IPs."
        )
    hops = [route["nexthop"] for route in routes_of(router)]
    if any(ipaddress.ip_address(hop) in network for hop in hops for network in networks):
        raise RouterInterfaceInUseByRoute(
            f"Router interface for subnet {going[0].id} on router {router.id} cannot be deleted, as it is required by "
            "one or more routes."
        )


def _named(body: Mapping[str, Any]) -> tuple[str, str]:
    """(subnet id, port id) of a body. Raises for what is neither."""
    found = []
    for name in ("subnet_id", "port_id"):
        value = body.get(name) or ""
        if not isinstance(value, str) or (value and not is_uuid(value)):
            raise HTTPBadRequest(f"Invalid input for {name}. Reason: '{str(value)[:60]}' is not a valid UUID.")
        found.append(value)
    return found[0], found[1]


def _info(router: RouterRow, port: PortRow, subnet_ids: list[str]) -> dict[str, Any]:
    return {
        "id": router.id,
        "tenant_id": router.project_id,
        "project_id": router.project_id,
        "port_id": port.id,
        "network_id": port.network_id,
        "subnet_id": subnet_ids[0],
        "subnet_ids": subnet_ids,
        "tags": [],
    }


def _bad(why: str) -> InvalidInput:
    return InvalidInput(f"Bad router request: {why}", type_name="BadRequest")
