"""Routers that several nodes hold: which nodes, and the network by which they see each other.

That network is the project's, but the project does not see it: what passes there decides who has a router's addresses.
Which of the nodes runs the router they agree on themselves; here it is only read from what they report.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from cumulet.contracts.networks import InterfaceSpec, StandbySpec
from cumulet.core.db import Duplicate, Transaction
from cumulet.core.db.engine import Collision
from cumulet.services.fleet.public import Held, NodeView
from cumulet.services.network.following import facts_of
from cumulet.services.network.ipam import network_of
from cumulet.services.network.networks import operations as networks
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.addresses import given_of
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.row import OF_ROUTERS, STANDBY, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.errors import NoVRIDAvailable
from cumulet.services.network.routers.placing import choose_node
from cumulet.services.network.routers.row import RouterHostRow, RouterRow, StandbyNetworkRow
from cumulet.services.network.stirring import stir
from cumulet.services.network.subnets import operations as subnets

CIDR = "169.254.192.0/18"
NUMBERS = range(1, 256)
_FIRST_PRIORITY, _STEP = 100, 10


def choose_nodes(
    nodes: Sequence[NodeView],
    load: dict[str, int],
    current: Sequence[str],
    zones: Sequence[str],
    closed: Collection[str],
    most: int,
) -> list[str]:
    """The nodes that are to hold a router, in the order in which it prefers them. Pure.

    Those that hold it keep it, dead ones too, for they may come back; beside them others that live, until enough do.
    """
    known = {node.name: node for node in nodes}
    kept = [name for name in current if name in known and name not in closed]
    while sum(known[name].alive for name in kept) < most:
        more = choose_node(nodes, load, "", zones, {*closed, *kept})
        if not more:
            break
        kept.append(more)
    return kept


def runs_on(members: Sequence[str], current: str, helds: Iterable[Held], alive: Collection[str]) -> str:
    """Where a router runs, by what its nodes say: a living one that says so before a dead one that did. Pure.

    Of several the one that said it last: a lost node has no last word, and is taken for living for a while.
    """
    said = {
        held.node: held.sequence
        for held in helds
        if held.node in members and (facts := facts_of(held)) is not None and facts.up and facts.active
    }
    living = [name for name in said if name in alive]
    if choice := living or [*said]:
        return max(choice, key=lambda name: (said[name], name == current))
    return current if current in members else next(iter(members), "")


async def number_of(tx: Transaction, project_id: str) -> int:
    """A number that no other router of the project's has. Raises NoVRIDAvailable."""
    taken = {router.ha_number for router in await tx.find(RouterRow, project_id=project_id)}
    for number in NUMBERS:
        if number not in taken:
            return number
    raise NoVRIDAvailable(
        f"No more Virtual Router Identifier (VRID) available when creating router. The limit of number of HA Routers "
        f"per project is {len(NUMBERS)}."
    )


async def members_of(tx: Transaction, router_id: str) -> list[RouterHostRow]:
    return await tx.find(RouterHostRow, router_id=router_id, order_by="place")


async def enroll(room: Network, tx: Transaction, router: RouterRow, hosts: Sequence[str]) -> None:
    """Let these nodes hold the router, and no others; each with a leg in the network beside."""
    for member in await members_of(tx, router.id):
        if member.host not in hosts:
            await _dismiss(room, tx, member)
    has = {member.host: member.place for member in await members_of(tx, router.id)}
    fresh = [host for host in hosts if host not in has]
    network = await ensure_network(room, tx, router.project_id) if fresh else None
    free = (place for place in range(len(hosts) + len(has)) if place not in has.values())
    for host in fresh:
        assert network is not None
        new = NewPort(
            project_id="",
            name=f"HA port tenant {router.project_id}",
            device_id=router.id,
            device_owner=STANDBY,
            host=host,
            port_security=False,
        )
        port = await operations.make(room, tx, network, new)
        await tx.insert(RouterHostRow(router.id, host, port.id, next(free)))
    await _stir_around(tx, router)


async def disband(room: Network, tx: Transaction, router: RouterRow) -> None:
    """No nodes hold it together any more; with the project's last such router its network goes."""
    for member in await members_of(tx, router.id):
        await _dismiss(room, tx, member)
    await _stir_around(tx, router)
    others = [
        other for other in await tx.find(RouterRow, project_id=router.project_id, ha=True) if other.id != router.id
    ]
    known = await tx.get(StandbyNetworkRow, project_id=router.project_id)
    network = await tx.get(NetworkRow, id=known.network_id) if known and not others else None
    if network:
        await networks.erase(room, tx, network)
        await tx.delete(StandbyNetworkRow, project_id=router.project_id)


async def _dismiss(room: Network, tx: Transaction, member: RouterHostRow) -> None:
    port = await tx.get(PortRow, id=member.port_id)
    if port:
        await operations.erase(room, tx, port)
    await tx.delete(RouterHostRow, router_id=member.router_id, host=member.host)


async def _stir_around(tx: Transaction, router: RouterRow) -> None:
    """The nodes that hold the router carry the networks in which it has legs."""
    legs = [port for port in await tx.find(PortRow, device_id=router.id) if port.device_owner in OF_ROUTERS]
    await stir(tx, NetworkRow, "network", {leg.network_id for leg in legs})
    await stir(tx, RouterRow, "router", [router.id])


async def ensure_network(room: Network, tx: Transaction, project_id: str) -> NetworkRow:
    """The network by which the nodes that hold a project's routers see each other."""
    known = await tx.get(StandbyNetworkRow, project_id=project_id)
    found = await tx.get(NetworkRow, id=known.network_id) if known else None
    if found:
        return found
    made = await networks.make(room, tx, {"project_id": "", "name": f"HA network tenant {project_id}"})
    name = f"HA subnet tenant {project_id}"
    await subnets.make(room, tx, made, subnets.NewSubnet(project_id="", cidr=CIDR, name=name, gateway=None, dhcp=False))
    try:
        await tx.insert(StandbyNetworkRow(project_id, made.id))
    except Duplicate as race:  # another router of the project was the first
        raise Collision("standby network") from race
    return made


async def standbys(tx: Transaction, router: RouterRow) -> dict[str, StandbySpec]:
    """What each of the nodes that hold a router is told of the others."""
    members = await members_of(tx, router.id)
    ports = {port.id: port for port in await tx.find(PortRow, id=[m.port_id for m in members])} if members else {}
    addresses = {m.host: given_of(ports[m.port_id].fixed_ips)[0].ip_address for m in members}
    length = network_of(CIDR).prefixlen
    return {
        m.host: StandbySpec(
            number=router.ha_number or 0,
            priority=max(1, _FIRST_PRIORITY - _STEP * m.place),
            leg=InterfaceSpec(
                port_id=m.port_id,
                network_id=ports[m.port_id].network_id,
                mac=ports[m.port_id].mac,
                addresses=(f"{addresses[m.host]}/{length}",),
            ),
            peers=tuple(address for host, address in sorted(addresses.items()) if host != m.host),
        )
        for m in members
    }
