"""Consoles: a token that opens one machine's screen for ten minutes. Only its digest is kept."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Instant, Name, Query, Ref, Row, Short, Transaction, stored
from cumulet.core.errors import BadRequest, NotFound
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Enum
from cumulet.lib.clock import SECOND
from cumulet.services.compute.errors import InstanceNotReady
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.actions import given
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow

RULE = "os_compute_api:os-remote-consoles"
VALID_SECONDS = 600
TUNNELS = {"novnc": "vnc", "serial": "serial"}
"""The types that there are, and the kind of tunnel behind each."""


@stored("compute_console_tokens", sa.Index("compute_console_tokens_server", "server_id"))
class ConsoleTokenRow(Row):
    """A promise to open a machine's console."""

    digest: Annotated[str, sa.String(64), PRIMARY]
    server_id: Ref
    host: Name
    type: Short
    expires_at: Instant


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


_expired = Query(
    sa.delete(ConsoleTokenRow.table).where(ConsoleTokenRow.c.expires_at < sa.bindparam("now", type_=sa.BigInteger))
)


async def open_console(room: Compute, call: Call, row: ServerRow, kind: str) -> str:
    """The address of a console that is open from now on. Raises InstanceNotReady."""
    if kind not in TUNNELS:
        raise BadRequest(f"Unavailable console type {kind}. There are: {', '.join(TUNNELS)}.")
    if not row.host or row.vm_state not in ("active", "paused", "rescued", "resized", "building") or not row.power:
        raise InstanceNotReady(f"Instance {row.id} is not ready")
    token = secrets.token_hex(16)
    now = room.clock.now()

    async def write(tx: Transaction) -> None:
        await tx.execute(_expired, {"now": now})
        await tx.insert(ConsoleTokenRow(digest_of(token), row.id, row.host, kind, now + VALID_SECONDS * SECOND))

    await room.database.write(write)
    page = "vnc" if kind == "novnc" else "serial"
    url = f"{room.console_url or call.request.origin + '/console'}/{page}?token={token}"
    # Programs that open a screen without the page look for the path of its web socket here, as noVNC's own page does.
    return url if room.console_url else f"{url}&path={quote(f'console/ws?token={token}', safe='')}"


async def resolve(room: Compute, token: str) -> tuple[str, str, str]:
    """(node, kind of tunnel, machine) behind a token. It ends with its time, and when its server moves or goes."""
    async with room.database.read() as tx:
        row = await tx.get(ConsoleTokenRow, digest=digest_of(token))
        server = await tx.get(ServerRow, id=row.server_id) if row else None
    if row is None or row.expires_at < room.clock.now():
        raise NotFound("This console's token is not known, or its time is over. Ask for a new one.")
    if server is None or server.deleted_at or server.host != row.host:
        raise NotFound("The server of this console is gone or has moved. Ask for a new one.")
    return row.host, TUNNELS[row.type], server.id


Open = Body(
    "remote_console",
    (
        Field("protocol", Enum("vnc", "spice", "rdp", "serial"), create=REQUIRED, until="2.7"),
        Field("protocol", Enum("vnc", "spice", "rdp", "serial", "mks"), create=REQUIRED, since="2.8"),
        Field(
            "type",
            Enum("novnc", "xvpvnc", "rdp-html5", "spice-html5", "serial", "webmks", "spice-direct"),
            create=REQUIRED,
        ),
    ),
)


@servers.item("POST", RULE, suffix="/remote-consoles", since="2.6", body=Open)
async def remote_console(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    protocol, kind = call.wish["protocol"], call.wish["type"]
    if TUNNELS.get(kind, protocol) != protocol:
        raise BadRequest(f"Invalid input for field/attribute type: {kind} is no console of the protocol {protocol}")
    return {"remote_console": {"protocol": protocol, "type": kind, "url": await open_console(room, call, row, kind)}}


def _old(action: str, kinds: tuple[str, ...]) -> None:
    """One of the actions by which consoles were asked for until 2.5."""

    @servers.action(action, RULE, given("type", Enum(*kinds)), until="2.5", status=200)
    async def get_console(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
        kind = call.wish["type"]
        return {"console": {"type": kind, "url": await open_console(room, call, row, kind)}}


_old("os-getVNCConsole", ("novnc", "xvpvnc"))
_old("os-getSPICEConsole", ("spice-html5",))
_old("os-getRDPConsole", ("rdp-html5",))
_old("os-getSerialConsole", ("serial",))


async def show_token(room: Compute, call: Call) -> dict[str, Any]:
    """For a console proxy: where the machine of a token is."""
    call.allow("os_compute_api:os-console-auth-tokens")
    async with room.database.read() as tx:
        row = await tx.get(ConsoleTokenRow, digest=digest_of(call.path["token"]))
    if row is None or row.expires_at < room.clock.now():
        raise NotFound("Token not found")
    if row.type != "serial" and call.version < version("2.31"):
        raise BadRequest("The requested console type details are not accessible")
    node = await room.fleet.node(row.host)
    address = urlsplit(f"//{node.facts.address}" if node else "//")
    try:
        port = address.port or 0
    except ValueError:
        port = 0
    return {
        "console": {
            "instance_uuid": row.server_id,
            "host": address.hostname or row.host,
            "port": port,
            "internal_access_path": None,
        }
    }


ROUTES = (Endpoint("GET", "/os-console-auth-tokens/{token}", show_token, name="console_auth_token"),)
