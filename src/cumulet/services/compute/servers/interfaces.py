"""The cards of a server: attached and detached while it lives. And its addresses, as old clients ask for them."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest, CloudError, NotFound
from cumulet.core.web.body import OPTIONAL, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Ip, ListOf, Obj, Uuid
from cumulet.lib.ids import new_uuid
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.operations import VERBS, act, check
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import NicRow, ServerRow
from cumulet.services.compute.servers.rungs import wired
from cumulet.services.compute.servers.show import plain_addresses
from cumulet.services.compute.servers.store import forget
from cumulet.services.compute.servers.wishes import DeviceTag
from cumulet.services.network.public import NicRequest, NicView

RULE = "os_compute_api:os-attach-interfaces:"
TAGGED = version("2.70")

Attach = Body(
    "interfaceAttachment",
    (
        Field("net_id", Uuid, create=OPTIONAL),
        Field("port_id", Uuid, create=OPTIONAL),
        Field("fixed_ips", ListOf(Obj(Field("ip_address", Ip, create=OPTIONAL)), most=1), create=OPTIONAL),
        Field("tag", DeviceTag, create=OPTIONAL, since="2.49"),
    ),
    optional=True,
)


def shown(call: Call, nic: NicView) -> dict[str, Any]:
    found: dict[str, Any] = {
        "port_state": nic.status,
        "port_id": nic.port_id,
        "net_id": nic.network_id,
        "mac_addr": nic.mac,
        "fixed_ips": [{"subnet_id": address.subnet_id, "ip_address": address.ip} for address in nic.addresses],
    }
    if call.version >= TAGGED:
        found["tag"] = nic.tag or None
    return found


@servers.item("GET", RULE + "list", suffix="/os-interface")
async def index(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    return {"interfaceAttachments": [shown(call, nic) for nic in await room.networks.nics(row.id)]}


async def card(room: Compute, row: ServerRow, port_id: str) -> NicView:
    for nic in await room.networks.nics(row.id):
        if nic.port_id == port_id:
            return nic
    raise NotFound(f"Instance {row.id} does not have a port with id {port_id[:64]}")


@servers.item("GET", RULE + "show", suffix="/os-interface/{port_id}")
async def show(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    return {"interfaceAttachment": shown(call, await card(room, row, call.path["port_id"]))}


@servers.item("POST", RULE + "create", suffix="/os-interface", body=Attach)
async def attach(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    wish = call.wish
    port, network, ips = wish.get("port_id", ""), wish.get("net_id", ""), wish.get("fixed_ips") or []
    if port and network:
        raise BadRequest("Must not input both network_id and port_id")
    if ips and not network:
        raise BadRequest("Must input network_id when request IP address")
    check(call, row, VERBS["attach_interface"])
    fixed_ip = ips[0].get("ip_address", "") if ips else ""
    asked = [NicRequest(network_id=network, port_id=port, fixed_ip=fixed_ip, tag=wish.get("tag", ""))]
    groups: list[str] = msgspec.json.decode(row.groups)
    chosen = list(await room.networks.check(call.caller, asked if port or network else "auto", groups))
    if not chosen:
        raise BadRequest("No network is there to attach to: make one, or name a port.")
    return {"interfaceAttachment": shown(call, await plug(room, call, row, chosen[0]))}


async def plug(room: Compute, call: Call, row: ServerRow, request: NicRequest) -> NicView:
    """Write the card as an intent, make its port, then let the reconciler give it to the machine."""
    async with room.database.read() as tx:
        place = 1 + max((nic.place for nic in await tx.find(NicRow, server_id=row.id)), default=-1)
    nic = NicRow(
        id=new_uuid(),
        server_id=row.id,
        created_at=room.clock.now(),
        wanted="attached",
        place=place,
        network_id=request.network_id,
        fixed_ip=request.fixed_ip,
        tag=request.tag,
        port_id=None,
        asked_port=request.port_id,
        asks=request.asks,
        connected=False,
    )

    async def also(tx: Transaction, found: ServerRow) -> None:
        await tx.insert(nic)

    stored = await act(room, call, row, "attach_interface", lambda found: None, also)
    try:
        port_id = await wired.plug(room, stored, nic)
    except CloudError:
        await forget(room, nic)
        raise
    return await card(room, row, port_id)


@servers.item("DELETE", RULE + "delete", status=202, suffix="/os-interface/{port_id}")
async def detach(room: Compute, call: Call, row: ServerRow) -> None:
    port_id = call.path["port_id"]
    await card(room, row, port_id)

    async def also(tx: Transaction, found: ServerRow) -> None:
        if not await tx.update(NicRow, {"server_id": row.id, "port_id": port_id}, wanted="gone"):
            raise NotFound(f"Instance {row.id} does not have a port with id {port_id[:64]}")

    await act(room, call, row, "detach_interface", lambda found: None, also)


# ---- addresses --------------------------------------------------------------------------------------------------

IPS = "os_compute_api:ips:"


@servers.item("GET", IPS + "index", suffix="/ips")
async def list_ips(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    return {"addresses": plain_addresses(row)}


@servers.item("GET", IPS + "show", suffix="/ips/{network}")
async def show_ips(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    name = call.path["network"]
    found = plain_addresses(row)
    if name not in found:
        raise NotFound("Instance is not a member of specified network")
    return {name: found[name]}
