"""The bindings of a port: the active one, where it lives, and those of nodes on which it is made too.

Another service prepares a port where its server is to go, and activates that binding in the moment of the change; what
was active is then prepared. Compute does the same within, by the door.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import AnyObject, Text
from cumulet.services.network.attributes import Attributes, read_one
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.errors import (
    PortBindingAlreadyActive,
    PortBindingAlreadyExists,
    PortBindingNotFound,
)
from cumulet.services.network.ports.fields import VIF_DETAILS, VIF_TYPE, VnicType
from cumulet.services.network.ports.ports import ports
from cumulet.services.network.ports.prepared import give_up, prepare
from cumulet.services.network.ports.row import BindingRow, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.standard import json_text

EXTENDED = Facet("binding-extended", "Several bindings of a port")
ATTRIBUTES = Attributes(
    [
        Field("host", Text(255, 1), create=REQUIRED),
        Field("vnic_type", VnicType, create=OPTIONAL, update=OPTIONAL),
        Field("profile", AnyObject.or_null(), create=OPTIONAL, update=OPTIONAL),
    ]
)


def _shown(port: PortRow, host: str, vnic_type: str, profile: str, *, active: bool) -> dict[str, Any]:
    return {
        "host": host,
        "vif_type": VIF_TYPE,
        "vif_details": VIF_DETAILS,
        "vnic_type": vnic_type,
        "profile": msgspec.Raw(profile.encode()),
        "status": "ACTIVE" if active else "INACTIVE",
        "project_id": port.project_id,
    }


def _active(port: PortRow) -> dict[str, Any]:
    return _shown(port, port.host, port.vnic_type, port.profile, active=True)


def _inactive(port: PortRow, row: BindingRow) -> dict[str, Any]:
    return _shown(port, row.host, row.vnic_type, row.profile, active=False)


def _missing(port: PortRow, host: str) -> PortBindingNotFound:
    return PortBindingNotFound(f"Binding for port {port.id} for host {host[:255]} could not be found.")


async def _list(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_port_binding")
    async with room.database.read() as tx:
        port = await ports.sought(tx, call, call.path["port_id"])
        rows = await tx.find(BindingRow, port_id=port.id, order_by="host")
    found = ([_active(port)] if port.host else []) + [_inactive(port, row) for row in rows]
    for name in ("host", "status", "vif_type", "vnic_type"):
        wanted = call.request.all(name)
        found = [binding for binding in found if not wanted or binding[name] in wanted]
    fields = call.request.all("fields")
    return {"bindings": [{n: v for n, v in one.items() if not fields or n in fields} for one in found]}


async def _show(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_port_binding")
    host = call.path["host"]
    async with room.database.read() as tx:
        port = await ports.sought(tx, call, call.path["port_id"])
        row = await tx.get(BindingRow, port_id=port.id, host=host)
    if row is None and port.host != host:
        raise _missing(port, host)
    return {"binding": _inactive(port, row) if row else _active(port)}


async def _create(room: Network, call: Call) -> dict[str, Any]:
    call.allow("create_port_binding")
    wish = ATTRIBUTES.for_create(read_one(await call.request.body(1 << 16), "binding"))
    host = wish["host"]
    if await room.fleet.node(host) is None:
        raise InvalidInput(f"Invalid input for host. Reason: there is no node '{host[:60]}'.")

    async def write(tx: Transaction) -> dict[str, Any]:
        port = await _servers(tx, call)
        taken = PortBindingAlreadyExists(f"Binding for port {port.id} on host {host} already exists.")
        if host == port.host or await tx.get(BindingRow, port_id=port.id, host=host):
            raise taken
        profile = json_text(wish["profile"]) if wish.get("profile") else "{}"
        try:
            await prepare(tx, port, host, wish.get("vnic_type", "normal"), profile)
        except Duplicate as race:
            raise taken from race
        return _shown(port, host, wish.get("vnic_type", "normal"), profile, active=False)

    return {"binding": await room.database.write(write)}


async def _servers(tx: Transaction, call: Call) -> PortRow:
    """The port in the path, which must be a server's. Raises."""
    port: PortRow = await ports.sought(tx, call, call.path["port_id"])
    if not port.device_owner.startswith("compute:"):
        raise InvalidInput(
            f"Bad port request: Invalid port {port.id}. Operation only valid on compute ports.", type_name="BadRequest"
        )
    return port


async def _update(room: Network, call: Call) -> dict[str, Any]:
    call.allow("create_port_binding")
    wish = ATTRIBUTES.for_update(read_one(await call.request.body(1 << 16), "binding"))
    changes = {name: value for name, value in wish.items() if name != "profile"}
    if "profile" in wish:
        changes["profile"] = json_text(wish["profile"] or {})

    async def write(tx: Transaction) -> dict[str, Any]:
        port, host = await _servers(tx, call), call.path["host"]
        if host == port.host:
            return _active(await operations.change(room, tx, port, **changes))
        row = await tx.get(BindingRow, port_id=port.id, host=host)
        if row is None:
            raise _missing(port, host)
        if changes:
            await tx.update(BindingRow, {"port_id": port.id, "host": host}, **changes)
        return _inactive(port, msgspec.structs.replace(row, **changes))

    return {"binding": await room.database.write(write)}


async def _activate(room: Network, call: Call) -> dict[str, Any]:
    call.allow("activate")

    async def write(tx: Transaction) -> dict[str, Any]:
        port, host = await _servers(tx, call), call.path["host"]
        if host == port.host:
            raise PortBindingAlreadyActive(f"Binding for port {port.id} on host {host} is already active.")
        row = await tx.get(BindingRow, port_id=port.id, host=host)
        if row is None:
            raise _missing(port, host)
        changed = await operations.change(room, tx, port, host=host, vnic_type=row.vnic_type, profile=row.profile)
        if port.host:
            await prepare(tx, changed, port.host, port.vnic_type, port.profile)
        return _active(changed)

    return {"binding": await room.database.write(write)}


async def _delete(room: Network, call: Call) -> None:
    call.allow("delete_port_binding")

    async def write(tx: Transaction) -> None:
        port: PortRow = await ports.sought(tx, call, call.path["port_id"])
        host = call.path["host"]
        if host == port.host:
            await operations.change(room, tx, port, host="")
        elif await tx.get(BindingRow, port_id=port.id, host=host):
            await give_up(tx, port, host)
        else:
            raise _missing(port, host)

    await room.database.write(write)


def endpoints() -> list[Endpoint]:
    many = "/ports/{port_id}/bindings"
    one = many + "/{host}"
    return [
        Endpoint("GET", many, _list, name="list_port_bindings"),
        Endpoint("POST", many, _create, 201, raw=True, name="create_port_binding"),
        Endpoint("GET", one, _show, name="show_port_binding"),
        Endpoint("PUT", one, _update, raw=True, name="update_port_binding"),
        Endpoint("PUT", one + "/activate", _activate, raw=True, name="activate_port_binding"),
        Endpoint("DELETE", one, _delete, 204, name="delete_port_binding"),
    ]
