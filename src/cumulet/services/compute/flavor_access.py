"""The projects that may use a private flavor."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate
from cumulet.core.errors import BadRequest, Conflict
from cumulet.core.room import Room
from cumulet.core.web.body import HIDDEN, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Text
from cumulet.services.compute.errors import FlavorNotFound
from cumulet.services.compute.flavors import FlavorAccessRow, FlavorRow, flavors
from cumulet.services.compute.room import Compute

ACCESS = "os_compute_api:os-flavor-access"


async def _accesses(room: Room, flavor_id: str) -> dict[str, Any]:
    async with room.database.read() as tx:
        rows = await tx.find(FlavorAccessRow, flavor_id=flavor_id, order_by="project_id")
    return {"flavor_access": [{"flavor_id": flavor_id, "tenant_id": row.project_id} for row in rows]}


@flavors.item("GET", ACCESS, suffix="/os-flavor-access")
async def list_access(room: Compute, call: Call, row: FlavorRow) -> dict[str, Any]:
    if row.public:
        raise FlavorNotFound("Access list not available for public flavors.")
    return await _accesses(room, row.id)


Tenant = Field("tenant", Text(255, 1), create=REQUIRED, source=HIDDEN)


@flavors.action("addTenantAccess", ACCESS + ":add_tenant_access", Tenant, status=200)
async def add_access(room: Compute, call: Call, row: FlavorRow) -> dict[str, Any]:
    project = call.wish["tenant"]
    if row.public and call.version >= version("2.7"):
        raise Conflict("Can not add access to a public flavor.")
    if not await room.identity.project_exists(project):
        raise BadRequest(f"Project ID {project} is not a valid project.")
    try:
        await room.database.write(lambda tx: tx.insert(FlavorAccessRow(row.id, project)))
    except Duplicate as taken:
        raise Conflict(f"Flavor access already exists for flavor {row.id} and project {project}.") from taken
    return await _accesses(room, row.id)


@flavors.action("removeTenantAccess", ACCESS + ":remove_tenant_access", Tenant, status=200)
async def remove_access(room: Compute, call: Call, row: FlavorRow) -> dict[str, Any]:
    project = call.wish["tenant"]
    if not await room.identity.project_exists(project):
        raise BadRequest(f"Project ID {project} is not a valid project.")
    if not await room.database.write(lambda tx: tx.delete(FlavorAccessRow, flavor_id=row.id, project_id=project)):
        raise FlavorNotFound(f"Flavor access not found for {row.id} / {project} combination.")
    return await _accesses(room, row.id)
