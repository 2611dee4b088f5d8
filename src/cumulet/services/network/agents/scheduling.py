"""Which agents serve a network or a router, and how an administrator changes that by hand.

DHCP is answered by every node for its own guests, so by every DHCP agent from which the network was not taken. A node
that was given a network carries it, guests or none. A router is on the node that it chose, or that was chosen for it.
Taken from its node it is on none, until it is sent to one, or until it changes and chooses another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Uuid
from cumulet.services.network.agents.agents import DHCP_AGENT, L3, agents, find_agent
from cumulet.services.network.agents.errors import (
    InvalidDHCPAgent,
    InvalidL3Agent,
    NetworkHostedByDHCPAgent,
    NetworkNotHostedByDhcpAgent,
    RouterHostedByL3Agent,
    RouterNotHostedByL3Agent,
)
from cumulet.services.network.agents.exclusions import ExclusionRow, exclude, excluded_hosts, include
from cumulet.services.network.attributes import clean, read_object
from cumulet.services.network.errors import HTTPBadRequest
from cumulet.services.network.facets import Facet
from cumulet.services.network.networks.carrying import off_the_wire
from cumulet.services.network.networks.networks import networks
from cumulet.services.network.networks.row import NetworkHostRow, NetworkRow
from cumulet.services.network.noun import again_if_doubled
from cumulet.services.network.room import Network
from cumulet.services.network.routers.legs import gateway_ports
from cumulet.services.network.routers.routers import routers
from cumulet.services.network.routers.row import RouterHostRow, RouterRow
from cumulet.services.network.routers.standby import enroll, members_of
from cumulet.services.network.stirring import stir
from cumulet.services.network.subnets.row import SubnetRow

DHCP_SCHEDULER = Facet("dhcp_agent_scheduler", "Networks of DHCP agents")
NOTHING = msgspec.Raw(b"null")
"""What clients expect of an addition: JSON that says nothing."""
L3_SCHEDULER = Facet("l3_agent_scheduler", "Routers of L3 agents")


async def _agent(room: Network, call: Call, kind: str) -> dict[str, Any]:
    """The agent in the path, which must be of this kind. Raises."""
    agent = await find_agent(room, call)
    if agent["agent_type"] == kind:
        return agent
    if kind == L3:
        raise InvalidL3Agent(f"Agent {agent['id']} is not a L3 Agent or has been disabled")
    raise InvalidDHCPAgent(f"Agent {agent['id']} is not a valid DHCP Agent or has been disabled")


async def _named(call: Call, name: str) -> str:
    """The id in a body that holds nothing else. Raises."""
    body = read_object(await call.request.body(1 << 16))
    if set(body) != {name}:
        raise HTTPBadRequest(f"Failed to parse request. '{name}' is needed, and nothing else.")
    found: str = clean(Field(name, Uuid, create=REQUIRED), body[name])
    return found


# ---- networks ------------------------------------------------------------------------------------------------------


async def _networks_of(room: Network, call: Call) -> dict[str, Any]:
    """The networks that it was given, and those whose guests it serves, or would if they came to its node."""
    call.allow("get_dhcp-networks")
    agent = await _agent(room, call, DHCP_AGENT)
    async with room.database.read() as tx:
        excluded = {row.id for row in await tx.find(ExclusionRow, host=agent["host"])}
        served = {row.network_id for row in await tx.find(SubnetRow, dhcp=True)} - excluded
        served |= {row.network_id for row in await tx.find(NetworkHostRow, host=agent["host"])}
        rows = await tx.find(NetworkRow, id=sorted(served), order_by="id") if served else []
    return {"networks": [networks.show_row(call, row) for row in rows]}


async def _dhcp_agents_of(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_dhcp-agents")
    async with room.database.read() as tx:
        network = await networks.sought(tx, call, call.path["network_id"])
        serves = await _serving(tx, network.id)
    return {"agents": [a for a in await agents(room) if a["agent_type"] == DHCP_AGENT and serves(a["host"])]}


async def _serving(tx: Transaction, network_id: str) -> Callable[[str], bool]:
    """Whether a node serves a network."""
    served = bool(await tx.count(SubnetRow, network_id=network_id, dhcp=True))
    given = {row.host for row in await tx.find(NetworkHostRow, network_id=network_id)}
    excluded = await excluded_hosts(tx, network_id)
    return lambda host: host in given or (served and host not in excluded)


async def _add_network(room: Network, call: Call) -> msgspec.Raw:
    call.allow("create_dhcp-network")
    agent = await _agent(room, call, DHCP_AGENT)
    network_id = await _named(call, "network_id")

    async def write(tx: Transaction) -> None:
        network = await networks.sought(tx, call, network_id)
        refusal = NetworkHostedByDHCPAgent(
            f"The network {network.id} has been already hosted by the DHCP Agent {agent['id']}."
        )
        if (await _serving(tx, network.id))(agent["host"]):
            raise refusal
        await include(tx, network.id, agent["host"])
        try:
            await tx.insert(NetworkHostRow(network.id, agent["host"]))
        except Duplicate as race:
            raise refusal from race
        await stir(tx, NetworkRow, "network", [network.id])

    await room.database.write(again_if_doubled(write))
    return NOTHING


async def _remove_network(room: Network, call: Call) -> None:
    """Guests of the network on that node get no more answers there."""
    call.allow("delete_dhcp-network")
    agent = await _agent(room, call, DHCP_AGENT)

    async def write(tx: Transaction) -> None:
        network = await networks.sought(tx, call, call.path["network_id"])
        if not (await _serving(tx, network.id))(agent["host"]):
            raise NetworkNotHostedByDhcpAgent(
                f"The network {network.id} is not hosted by the DHCP agent {agent['id']}."
            )
        await exclude(tx, network.id, agent["host"])
        await tx.delete(NetworkHostRow, network_id=network.id, host=agent["host"])
        await stir(tx, NetworkRow, "network", [network.id])

    await room.database.write(again_if_doubled(write))


# ---- routers -------------------------------------------------------------------------------------------------------


async def _routers_of(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_l3-routers")
    agent = await _agent(room, call, L3)
    async with room.database.read() as tx:
        held = [member.router_id for member in await tx.find(RouterHostRow, host=agent["host"])]
        rows = {router.id: router for router in await tx.find(RouterRow, host=agent["host"])}
        rows |= {router.id: router for router in await tx.find(RouterRow, id=held)} if held else {}
    return {"routers": [routers.show_row(call, row) for _, row in sorted(rows.items())]}


async def _l3_agents_of(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_l3-agents")
    async with room.database.read() as tx:
        router = await routers.sought(tx, call, call.path["router_id"])
        hosts = await _hosts_of(tx, router)
    found = [agent for agent in await agents(room) if agent["agent_type"] == L3 and agent["host"] in hosts]
    if router.ha:
        found = [agent | {"ha_state": "active" if agent["host"] == router.host else "standby"} for agent in found]
    return {"agents": found}


async def _hosts_of(tx: Transaction, router: RouterRow) -> set[str]:
    """The nodes that hold a router."""
    return {member.host for member in await members_of(tx, router.id)} if router.ha else {router.host} - {""}


async def _add_router(room: Network, call: Call) -> msgspec.Raw:
    call.allow("create_l3-router")
    agent = await _agent(room, call, L3)
    if not agent["admin_state_up"]:
        raise InvalidL3Agent(f"Agent {agent['id']} is not a L3 Agent or has been disabled")
    router_id = await _named(call, "router_id")

    async def write(tx: Transaction) -> None:
        router = await routers.sought(tx, call, router_id)
        hosts = await _hosts_of(tx, router)
        if agent["host"] in await off_the_wire(tx, {port.network_id for port in await gateway_ports(tx, router)}):
            raise InvalidL3Agent(
                f"Agent {agent['id']} cannot serve router {router.id}: its host {agent['host']} has no wire to the "
                "external network of the router, and others have. Choose one of them, or start its node with --wire."
            )
        if router.ha and agent["host"] not in hosts:
            await include(tx, router.id, agent["host"])
            await tx.update(RouterRow, {"id": router.id}, by_hand=True)
            await enroll(room, tx, router, [*sorted(hosts), agent["host"]])
            return
        if router.ha or hosts - {agent["host"]}:
            raise RouterHostedByL3Agent(
                f"The router {router.id} has been already hosted by the L3 Agent on {router.host}; remove it there."
            )
        await include(tx, router.id, agent["host"])
        await tx.update(RouterRow, {"id": router.id}, host=agent["host"], by_hand=True)
        await stir(tx, RouterRow, "router", [router.id])

    await room.database.write(again_if_doubled(write))
    return NOTHING


async def _remove_router(room: Network, call: Call) -> None:
    """No node runs it then, until it is sent to one or changes. One that several nodes hold is held by others."""
    call.allow("delete_l3-router")
    agent = await _agent(room, call, L3)

    async def write(tx: Transaction) -> None:
        router = await routers.sought(tx, call, call.path["router_id"])
        if agent["host"] not in await _hosts_of(tx, router):
            raise RouterNotHostedByL3Agent(f"The router {router.id} is not hosted by L3 agent {agent['id']}.")
        await exclude(tx, router.id, agent["host"])
        if not router.ha:
            await tx.update(RouterRow, {"id": router.id}, host="", by_hand=False, rests_at=router.generation + 1)
        await stir(tx, RouterRow, "router", [router.id])

    await room.database.write(again_if_doubled(write))


def endpoints() -> list[Endpoint]:
    of_dhcp, of_l3 = "/agents/{agent_id}/dhcp-networks", "/agents/{agent_id}/l3-routers"
    return [
        Endpoint("GET", of_dhcp, _networks_of, name="list_dhcp_networks"),
        Endpoint("POST", of_dhcp, _add_network, 201, raw=True, name="create_dhcp_network"),
        Endpoint("DELETE", of_dhcp + "/{network_id}", _remove_network, 204, name="delete_dhcp_network"),
        Endpoint("GET", "/networks/{network_id}/dhcp-agents", _dhcp_agents_of, name="list_dhcp_agents"),
        Endpoint("GET", of_l3, _routers_of, name="list_l3_routers"),
        Endpoint("POST", of_l3, _add_router, 201, raw=True, name="create_l3_router"),
        Endpoint("DELETE", of_l3 + "/{router_id}", _remove_router, 204, name="delete_l3_router"),
        Endpoint("GET", "/routers/{router_id}/l3-agents", _l3_agents_of, name="list_l3_agents"),
    ]
