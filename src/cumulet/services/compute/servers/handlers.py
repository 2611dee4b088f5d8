"""The methods of servers, but for `…/action`."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import Conflict
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.services.compute.errors import InvalidServer
from cumulet.services.compute.hosts import zones
from cumulet.services.compute.links import links
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.create import create_servers
from cumulet.services.compute.servers.listing import list_servers
from cumulet.services.compute.servers.operations import act
from cumulet.services.compute.servers.operations import delete as delete_server
from cumulet.services.compute.servers.resource import answered, servers, shown
from cumulet.services.compute.servers.row import ServerRow

RULE = "os_compute_api:servers:"


@servers.create(RULE + "create", status=202)
async def create(room: Compute, call: Call) -> Response:
    rows = await create_servers(room, call)
    if call.wish.get("return_reservation_id"):
        return Response.json(202, {"reservation_id": rows[0].reservation_id})
    row = rows[0]
    body = {
        "id": row.id,
        "links": links(call, "servers", row.id),
        "OS-DCF:diskConfig": row.disk_config,
        "security_groups": [{"name": name} for name in _named_groups(call)],
        "adminPass": row.admin_password,
    }
    return Response.json(202, {"server": body}, {"Location": f"{call.base}/servers/{row.id}"})


def _named_groups(call: Call) -> list[str]:
    return [group["name"] for group in call.wish.get("security_groups") or () if group.get("name")] or ["default"]


@servers.list(RULE + "index")
async def index(room: Compute, call: Call) -> dict[str, Any]:
    return await list_servers(room, call, brief=True)


@servers.collection("GET", RULE + "detail", suffix="/detail")
async def detail(room: Compute, call: Call) -> dict[str, Any]:
    return await list_servers(room, call, brief=False)


@servers.show(RULE + "show")
async def show(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    return {"server": shown(call, row)}


async def refuse_other_zone(room: Compute, row: ServerRow, zone: str | None) -> None:
    """A server is pinned to the zone that it is in; it does not move because of a pin."""
    if zone and zone not in set((await zones(room)).values()):
        raise InvalidServer(f"The requested availability zone {zone[:60]} is not available")
    if zone and row.host and zone != row.zone:
        raise Conflict(f"Instance {row.id} is in availability zone {row.zone} and cannot be pinned to {zone[:60]}.")


@servers.update(RULE + "update")
async def update(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    wish = call.wish
    await refuse_other_zone(room, row, wish.get("pinned_availability_zone"))

    def alter(found: ServerRow) -> None:
        found.name = wish.get("name", found.name)
        found.access_ip_v4 = wish.get("accessIPv4", found.access_ip_v4)
        found.access_ip_v6 = wish.get("accessIPv6", found.access_ip_v6)
        found.disk_config = wish.get("OS-DCF:diskConfig", found.disk_config)
        found.hostname = wish.get("hostname", found.hostname)
        if "description" in wish:
            found.description = wish["description"]
        if "pinned_availability_zone" in wish:
            found.pinned_zone = wish["pinned_availability_zone"] or ""

    return {"server": answered(call, await act(room, call, row, "update", alter))}


@servers.delete(RULE + "delete")
async def delete(room: Compute, call: Call, row: ServerRow) -> None:
    await delete_server(room, call, row)
