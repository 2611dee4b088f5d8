"""Agents: what each node does for networking, told in the words of the real service's agents."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Instant, Name, Query, Row, Transaction, stored
from cumulet.core.web.body import Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Bool, Text, parse_bool
from cumulet.lib.clock import SECOND, iso_seconds
from cumulet.services.fleet.public import NodeView
from cumulet.services.network import offers
from cumulet.services.network.agents.errors import AgentNotFound
from cumulet.services.network.attributes import Attributes, read_one
from cumulet.services.network.errors import HTTPBadRequest, InvalidInput
from cumulet.services.network.facets import Facet
from cumulet.services.network.noun import again_if_doubled
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.row import RouterRow

AGENT = Facet("agent", "Agents")
SYNCED = Facet("agent-resources-synced", "Agents whose promises placement knows")
ZONES = Facet("availability_zone", "Availability zones")
_NAMESPACE = uuid.UUID("9d3b1b52-3c6e-5d0e-8f2c-51d1c8c7a0de")
L3, DHCP_AGENT, BRIDGE = "L3 agent", "DHCP agent", offers.AGENT
KINDS = {
    DHCP_AGENT: ("neutron-dhcp-agent", "dhcp_agent"),
    L3: ("neutron-l3-agent", "l3_agent"),
    "Metadata agent": ("neutron-metadata-agent", "N/A"),
    BRIDGE: ("neutron-linuxbridge-agent", "N/A"),
}
"""Types, with the binary and topic that clients expect of them."""


@stored("network_agents")
class AgentRow(Row):
    """What an administrator said of an agent; others have no row."""

    id: Annotated[str, sa.String(36), PRIMARY]
    host: Name
    admin_up: bool
    description: Name
    gone_at: Instant
    """It was deleted after it was last heard from, at this moment; heard from again, it is back. 0: never."""


ATTRIBUTES = Attributes(
    [Field("admin_state_up", Bool, update=True), Field("description", Text(255).or_null(), update=True)]
)


def agent_id(kind: str, host: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{kind} {host}"))


async def agents(room: Network) -> list[dict[str, Any]]:
    """Every agent of every node."""
    nodes = await room.fleet.nodes()
    async with room.database.read() as tx:
        said = {row.id: row for row in await tx.find(AgentRow)}
        ports = {row[0]: row[1] for row in await tx.tuples(_PORTS)}
        routers = {row[0]: row[1] for row in await tx.tuples(_ROUTERS)}
    told = await offers.offers(room)
    return [
        _shown(
            kind,
            node,
            told.get(node.name, ""),
            said.get(agent_id(kind, node.name)),
            ports.get(node.name, 0),
            routers.get(node.name, 0),
        )
        for node in nodes
        for kind in KINDS
        if not _is_gone(said.get(agent_id(kind, node.name)), node)
    ]


def _is_gone(said: AgentRow | None, node: NodeView) -> bool:
    return said is not None and bool(said.gone_at) and node.last_seen <= said.gone_at


def _shown(kind: str, node: NodeView, told: str, said: AgentRow | None, ports: int, routers: int) -> dict[str, Any]:
    binary, topic = KINDS[kind]
    facts: dict[str, Any] = {}
    if kind == BRIDGE:
        facts = {"devices": ports, **offers.configurations(node.facts)}
    if kind == L3:
        facts = {"routers": routers, "agent_mode": "legacy"}
    return {
        "id": agent_id(kind, node.name),
        "agent_type": kind,
        "binary": binary,
        "topic": topic,
        "host": node.name,
        "admin_state_up": said.admin_up if said else True,
        "alive": node.alive,
        "availability_zone": node.zone if kind in (DHCP_AGENT, L3) else None,
        "created_at": _moment(node.joined_at or node.last_seen),
        "started_at": _moment(node.joined_at or node.last_seen),
        "heartbeat_timestamp": _moment(node.last_seen),
        "configurations": facts,
        "description": said.description or None if said else None,
        "resources_synced": told == offers.offered(node.facts) if kind == BRIDGE else None,
    }


def _moment(instant: int) -> str:
    return iso_seconds(instant // SECOND * SECOND).replace("T", " ").rstrip("Z")


_PORTS = Query(sa.select(PortRow.c.host, sa.func.count()).where(PortRow.c.host != "").group_by(PortRow.c.host))
_ROUTERS = Query(sa.select(RouterRow.c.host, sa.func.count()).where(RouterRow.c.host != "").group_by(RouterRow.c.host))
FILTERS = ("id", "agent_type", "binary", "host", "topic", "availability_zone")


async def _list(room: Network, call: Call) -> dict[str, Any]:
    if not call.may("get_agent"):
        return {"agents": []}
    found = await agents(room)
    for name in FILTERS:
        wanted = {value.casefold() for value in call.request.all(name)}
        found = [agent for agent in found if not wanted or (agent[name] or "").casefold() in wanted]
    for name in ("alive", "admin_state_up"):
        flag = call.request.one(name)
        if flag is not None:
            found = [agent for agent in found if agent[name] == _flag(name, flag)]
    return {"agents": [_narrowed(call, agent) for agent in found]}


def _flag(name: str, text: str) -> bool:
    try:
        return parse_bool(text)
    except ValueError as error:
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: {error}.") from error


def _narrowed(call: Call, shown: dict[str, Any]) -> dict[str, Any]:
    fields = call.request.all("fields")
    return {name: value for name, value in shown.items() if not fields or name in fields}


async def find_agent(room: Network, call: Call) -> dict[str, Any]:
    """The agent in the path. Raises AgentNotFound."""
    wanted = call.path["agent_id"]
    for agent in await agents(room) if call.may("get_agent") else []:
        if agent["id"] == wanted:
            return agent
    raise AgentNotFound(f"Agent {wanted[:64]} could not be found.")


async def _show(room: Network, call: Call) -> dict[str, Any]:
    return {"agent": _narrowed(call, await find_agent(room, call))}


async def _update(room: Network, call: Call) -> dict[str, Any]:
    """An L3 agent may be taken out of service: its routers go elsewhere. The others do what their node's ports need."""
    agent = await find_agent(room, call)
    call.allow("update_agent")
    wish = ATTRIBUTES.for_update(read_one(await call.request.body(1 << 16), "agent"))
    admin_up = wish.get("admin_state_up", agent["admin_state_up"])
    if not admin_up and agent["agent_type"] != L3:
        raise InvalidInput(
            f"A {agent['agent_type']} cannot be taken out of service: it serves the ports of its own node. Disable the "
            f"node's compute service instead."
        )
    text = wish.get("description", agent["description"]) or ""

    async def write(tx: Transaction) -> None:
        if not await tx.update(AgentRow, {"id": agent["id"]}, admin_up=admin_up, description=text):
            await tx.insert(AgentRow(agent["id"], agent["host"], admin_up, text, 0))
        for router in await tx.find(RouterRow, host="" if admin_up else agent["host"]):
            tx.wake("router", router.id)

    await room.database.write(again_if_doubled(write))
    return {"agent": await find_agent(room, call)}


async def _delete(room: Network, call: Call) -> None:
    """Forget an agent, as of a node that is no more. One whose node speaks again is back."""
    agent = await find_agent(room, call)
    call.allow("delete_agent")
    node = await room.fleet.node(agent["host"])
    seen = node.last_seen if node else 0

    async def write(tx: Transaction) -> None:
        await tx.delete(AgentRow, id=agent["id"])
        await tx.insert(AgentRow(agent["id"], agent["host"], admin_up=True, description="", gone_at=seen))

    await room.database.write(again_if_doubled(write))


async def _zones(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_availability_zone")
    nodes = await room.fleet.nodes()
    shown = []
    for zone in sorted({node.zone for node in nodes}):
        alive = any(node.alive for node in nodes if node.zone == zone)
        state = "available" if alive else "unavailable"
        shown += [{"name": zone, "resource": resource, "state": state} for resource in ("network", "router")]
    for name in ("name", "resource", "state"):
        wanted = call.request.all(name)
        shown = [entry for entry in shown if not wanted or entry[name] in wanted]
    return {"availability_zones": [_narrowed(call, entry) for entry in shown]}


async def closed_hosts(tx: Transaction) -> set[str]:
    """Nodes whose L3 agent is out of service."""
    return {row.host for row in await tx.find(AgentRow, admin_up=False)}


def endpoints() -> list[Endpoint]:
    return [
        Endpoint("GET", "/agents", _list, name="list_agents"),
        Endpoint("GET", "/agents/{agent_id}", _show, name="show_agent"),
        Endpoint("PUT", "/agents/{agent_id}", _update, raw=True, name="update_agent"),
        Endpoint("DELETE", "/agents/{agent_id}", _delete, 204, name="delete_agent"),
        Endpoint("GET", "/availability_zones", _zones, name="list_availability_zones"),
    ]
