"""A network, its subnets and a router of a project's own, made by themselves when it first asks.

Needs what an administrator prepared: a default external network and a default subnet pool.
"""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Duplicate, Ref, Row, Transaction, stored
from cumulet.core.db.engine import Collision
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.network.address_pools.allocation import allocate
from cumulet.services.network.address_pools.row import SubnetPoolRow
from cumulet.services.network.errors import HTTPNotFound, ResourceInUse
from cumulet.services.network.networks import operations as networks
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.operations import erase
from cumulet.services.network.ports.row import INTERFACE, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers import interfaces, routers
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.subnets import operations
from cumulet.services.network.subnets.operations import NewSubnet


@stored("network_auto_topologies")
class AutoTopologyRow(Row):
    """What was made by itself for a project."""

    project_id: Annotated[str, sa.String(64), PRIMARY]
    network_id: Ref
    router_id: Ref


def _project(call: Call) -> str:
    """The project that is meant. Only administrators may name another one."""
    named = call.path["project_id"]
    project = call.caller.project_id if named in ("null", "None") else named
    target = {"project_id": project, "tenant_id": project}
    if not call.may("get_auto_allocated_topology", target):
        raise HTTPNotFound(f"Auto-allocated topology of {project[:64]} could not be found.")
    return project


async def _show(room: Network, call: Call) -> dict[str, Any]:
    project = _project(call)
    dry = "dry-run" in call.request.all("fields")

    async def write(tx: Transaction) -> str:
        row = await tx.get(AutoTopologyRow, project_id=project)
        if dry:
            await _prepared(tx)
            return "dry-run=pass"
        return (row or await _make(room, call, tx, project)).network_id

    return {
        "auto_allocated_topology": {"id": await room.database.write(write), "tenant_id": project, "project_id": project}
    }


async def _prepared(tx: Transaction) -> tuple[NetworkRow, list[SubnetPoolRow]]:
    """The default external network and pools. Raises a conflict that says what is missing."""
    external = await tx.find(NetworkRow, is_default=True)
    pools = await tx.find(SubnetPoolRow, is_default=True)
    if not external:
        raise _missing("No default router:external network")
    if not pools:
        raise _missing("No default subnetpools defined")
    return external[0], pools


def _missing(what: str) -> ResourceInUse:
    return ResourceInUse(f"Deployment error: {what}. An administrator must set one.", type_name="AutoAllocationFailure")


async def _make(room: Network, call: Call, tx: Transaction, project: str) -> AutoTopologyRow:
    external, pools = await _prepared(tx)
    await room.quota.take(tx, project, network=1, subnet=len(pools), router=1)
    network = await networks.make(room, tx, {"project_id": project, "name": "auto_allocated_network"})
    wish = {
        "project_id": project,
        "name": "auto_allocated_router",
        "external_gateway_info": {"network_id": external.id},
    }
    router = await routers.make(room, tx, call, wish)
    for pool in pools:
        cidr = await allocate(tx, pool, {"project_id": project})
        new = NewSubnet(
            project_id=project, cidr=cidr, name=f"auto_allocated_subnet_v{pool.version}", subnetpool_id=pool.id
        )
        subnet = await operations.make(room, tx, network, new)
        await interfaces.join(room, tx, router, subnet, network)
    row = AutoTopologyRow(project, network.id, router.id)
    try:
        await tx.insert(row)
    except Duplicate as race:  # another request was the first to ask
        raise Collision("topology") from race
    return row


async def _delete(room: Network, call: Call) -> None:
    project = _project(call)
    call.allow("delete_auto_allocated_topology", {"project_id": project, "tenant_id": project})

    async def write(tx: Transaction) -> None:
        row = await tx.get(AutoTopologyRow, project_id=project)
        if row is None:
            raise HTTPNotFound(f"Auto-allocated topology of {project[:64]} could not be found.")
        network = await tx.get(NetworkRow, id=row.network_id)
        router = await tx.get(RouterRow, id=row.router_id)
        if router:
            for port in await tx.find(PortRow, device_id=router.id):
                if port.network_id == row.network_id and port.device_owner == INTERFACE:
                    await erase(room, tx, port)
            await routers.delete(room, call, tx, router)
            await routers.routers.remove(room, tx, router)
        if network:
            await networks.erase(room, tx, network)
        await tx.delete(AutoTopologyRow, project_id=project)

    await room.database.write(write)


def endpoints() -> list[Endpoint]:
    path = "/auto-allocated-topology/{project_id}"
    return [
        Endpoint("GET", path, _show, name="show_auto_allocated_topology"),
        Endpoint("DELETE", path, _delete, 204, name="delete_auto_allocated_topology"),
    ]
