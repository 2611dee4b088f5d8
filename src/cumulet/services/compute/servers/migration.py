"""A server goes to another host while it is off, or because its own is lost."""

from __future__ import annotations

from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Anything, Bool, Text
from cumulet.services.compute.moves.begin import move, other_host
from cumulet.services.compute.moves.row import COLD, EVACUATION
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers import wishes
from cumulet.services.compute.servers.actions import API, given
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.operations import VERBS, check
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow


@servers.action("migrate", API + "os-migrate-server:migrate", kind=Anything)
async def migrate(room: Compute, call: Call, row: ServerRow) -> None:
    check(call, row, VERBS["migrate"])
    body = call.wish["migrate"]
    host = ""
    if call.version >= version("2.56") and body is not None:  # what was sent before says nothing
        if not isinstance(body, dict) or not set(body) <= {"host"} or not isinstance(body.get("host"), str | None):
            raise BadRequest("Invalid input for field/attribute migrate: it takes null, or the name of a host")
        host = body.get("host") or ""
    if host:
        await other_host(room, call, row, host, API + "os-migrate-server:migrate:host")
    await move(room, call, row, "migrate", COLD, flavor_of(row), host)


@servers.action(
    "evacuate",
    API + "os-evacuate",
    given("host", Text(255, 1), OPTIONAL),
    given("onSharedStorage", Bool, REQUIRED, until="2.13"),
    given("force", Bool, OPTIONAL, since="2.29", until="2.67"),
    given("adminPass", wishes.AdminPass, OPTIONAL),
    status=200,
)
async def evacuate(room: Compute, call: Call, row: ServerRow) -> dict[str, str] | None:
    check(call, row, VERBS["evacuate"])
    host = call.wish.get("host") or ""
    if host:
        if await room.fleet.node(host) is None:
            raise BadRequest(f"Compute host {host[:60]} not found.")
        if host == row.host:
            raise BadRequest("The target host can't be the same one.")
    if not row.host:
        raise BadRequest("The server is on no host, so there is none to evacuate it from: rebuild it, or unshelve it.")
    node = await room.fleet.node(row.host)
    if node is None:
        raise BadRequest(
            f"Compute service of {row.host} could not be found. Only servers of a known host are evacuated."
        )
    if node.alive:
        raise BadRequest(
            f"Compute service of {row.host} is still in use. Only servers of a host that is down are evacuated."
        )
    forced = bool(call.wish.get("force"))
    if forced and not host:
        raise BadRequest("Can't force to a non-provided destination")
    await move(room, call, row, "evacuate", EVACUATION, flavor_of(row), host, forced=forced)
    return {"adminPass": row.admin_password} if call.version < version("2.14") else None
