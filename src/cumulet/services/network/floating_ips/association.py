"""Which router leads from a floating IP to a port, and whether it may lead there."""

from __future__ import annotations

import ipaddress

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.services.network import rbac
from cumulet.services.network.errors import InvalidInput, ResourceInUse
from cumulet.services.network.floating_ips.errors import (
    ExternalGatewayForFloatingIPNotFound,
    FloatingIPPortAlreadyAssociated,
)
from cumulet.services.network.floating_ips.row import FloatingIpRow
from cumulet.services.network.ports.addresses import Given, given_of
from cumulet.services.network.ports.errors import PortNotFound
from cumulet.services.network.ports.row import INTERFACE, PortRow
from cumulet.services.network.routers.errors import RouterNotFound
from cumulet.services.network.routers.legs import leads_out
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.subnets.row import AddressRow, SubnetRow


async def usable_port(tx: Transaction, call: Call, port_id: str) -> PortRow:
    """A port that the caller may lead a floating IP to. Raises PortNotFound."""
    port = await tx.get(PortRow, id=port_id)
    caller = call.caller.project_id
    if port is None or not (caller in (port.project_id, port.network_project_id) or rbac.sees_all(call)):
        raise PortNotFound(f"Port {port_id} could not be found.")
    return port


def fixed_address(port: PortRow, asked: str, floating: str) -> Given:
    """The address of a port that is meant: the one asked for, or its only one."""
    version = ipaddress.ip_address(floating).version
    fit = [has for has in given_of(port.fixed_ips) if ipaddress.ip_address(has.ip_address).version == version]
    if asked:
        fit = [has for has in fit if has.ip_address == asked]
        if not fit:
            raise _bad(f"Port {port.id} does not have fixed ip {asked}")
    if not fit:
        raise _bad(f"Cannot add floating IP to port {port.id} that has no fixed IPv{version} addresses")
    if len(fit) > 1:
        raise _bad(f"Port {port.id} has multiple fixed IPv{version} addresses. Must provide a specific one.")
    return fit[0]


async def router_between(tx: Transaction, network_id: str, port: PortRow, address: Given) -> RouterRow:
    """The router with a leg in the address's subnet and its gateway in the external network. Raises."""
    subnet = await tx.get(SubnetRow, id=address.subnet_id)
    used = {
        row.port_id: row for row in await tx.find(AddressRow, subnet_id=address.subnet_id, network_id=port.network_id)
    }
    legs = [leg for leg in await tx.find(PortRow, network_id=port.network_id, device_owner=INTERFACE) if leg.id in used]
    # A router at the subnet's gateway address comes first: through it the port answers.
    gateway = subnet.gateway if subnet else ""
    legs.sort(key=lambda leg: used[leg.id].ip != gateway)
    for leg in legs:
        router = await tx.get(RouterRow, id=leg.device_id)
        if router and await leads_out(tx, router, network_id):
            return router
    raise ExternalGatewayForFloatingIPNotFound(
        f"External network {network_id} is not reachable from subnet {address.subnet_id}. Therefore, cannot associate "
        f"Port {port.id} with a Floating IP."
    )


async def chosen_router(tx: Transaction, call: Call, router_id: str, network_id: str) -> RouterRow:
    """The router that is to lead to a port which may lie behind further routers. Raises."""
    router = await tx.get(RouterRow, id=router_id)
    if router is None or not (router.project_id == call.caller.project_id or rbac.sees_all(call)):
        raise RouterNotFound(f"Router {router_id} could not be found.")
    if not await leads_out(tx, router, network_id):
        raise ResourceInUse(
            f"Router {router_id} has no gateway on the external network {network_id} of the floating IP.",
            type_name="FloatingIPRouterWithoutGateway",
        )
    return router


async def refuse_second(tx: Transaction, row_id: str, port: PortRow, address: Given) -> None:
    """Raise when another floating IP leads to the address already."""
    other = await tx.get(FloatingIpRow, fixed_of=fixed_of(port.id, address.ip_address))
    if other and other.id != row_id:
        raise FloatingIPPortAlreadyAssociated(
            f"Cannot associate floating IP with port {port.id} using fixed IP {address.ip_address}, as that fixed IP "
            f"already has a floating IP on external network {other.network_id}."
        )


async def refuse_same_address(tx: Transaction, row_id: str, router: RouterRow, address: Given) -> None:
    """Raise when the router leads another floating IP to a port with the same address, in a network farther behind: on
    their way out it could not tell the two apart."""
    for other in await tx.find(FloatingIpRow, router_id=router.id, fixed=address.ip_address):
        if other.id != row_id:
            raise FloatingIPPortAlreadyAssociated(
                f"Cannot associate floating IP with fixed IP {address.ip_address} by router {router.id}, which leads "
                f"floating IP {other.address} to the same address in another network. Choose another router."
            )


def fixed_of(port_id: str, ip: str) -> str:
    return f"{port_id} {ip}"


def _bad(why: str) -> InvalidInput:
    return InvalidInput(f"Bad floatingip request: {why}.", type_name="BadRequest")
