"""What is remembered of floating IPs and port forwardings, and what the port they lead to may ask of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Id, Json, Name, Number, Ref, Row, Short, Transaction, stored
from cumulet.services.network.floating_ips.errors import FloatingIPPortAlreadyAssociated
from cumulet.services.network.ports.addresses import given_of
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.standard import Standard
from cumulet.services.network.stirring import stir


@stored(
    "network_floating_ips",
    sa.Index("network_floating_ips_project", "project_id"),
    sa.Index("network_floating_ips_port", "port_id"),
    sa.Index("network_floating_ips_router", "router_id"),
    sa.Index("network_floating_ips_network", "network_id"),
    sa.Index("network_floating_ips_fixed", "fixed_of", unique=True),
)
class FloatingIpRow(Standard):
    """A floating IP. `fixed_of` is made of port and address while it leads there, so that only one can."""

    network_id: Ref
    address: Short
    own_port_id: Ref
    """The port on the external network that keeps the address."""
    port_id: Ref
    fixed: Short
    fixed_of: Annotated[str, sa.String(128)] | None
    router_id: Ref
    status: Short
    dns_name: Name
    dns_domain: Name
    port_details: Json
    forwardings: Json


NOWHERE: dict[str, Any] = {
    "port_id": "",
    "fixed": "",
    "fixed_of": None,
    "router_id": "",
    "status": "DOWN",
    "port_details": "null",
}
"""The columns of a floating IP that leads to no port."""


@stored(
    "network_port_forwardings",
    sa.Index("network_port_forwardings_floating", "floating_ip_id"),
    sa.Index("network_port_forwardings_port", "port_id"),
    sa.Index("network_port_forwardings_outer", "floating_ip_id", "protocol", "external_port", unique=True),
)
class ForwardingRow(Row):
    """Ports of a floating IP that lead to ports of a fixed address: the first and the last of each."""

    id: Id
    project_id: Ref
    floating_ip_id: Ref
    protocol: Short
    external_port: Number
    external_last: Number
    internal_port: Number
    internal_last: Number
    internal_ip: Short
    port_id: Ref
    description: Name


def details_of(port: PortRow) -> str:
    """The port behind a floating IP, as that shows it."""
    shown = {
        "name": port.name,
        "network_id": port.network_id,
        "mac_address": port.mac,
        "admin_state_up": port.admin_up,
        "status": port.status,
        "device_id": port.device_id,
        "device_owner": port.device_owner,
    }
    return msgspec.json.encode(shown).decode()


async def show_port(tx: Transaction, port: PortRow) -> None:
    """A port changed: bring the floating IPs that lead there in line."""
    await tx.update(FloatingIpRow, {"port_id": port.id}, port_details=details_of(port))


async def release_port(room: Network, tx: Transaction, port_id: str, kept: Collection[str] = ()) -> None:
    """A port goes, or has only these addresses from now on: to others no floating IP leads, and no forwarding."""
    for row in await tx.find(FloatingIpRow, port_id=port_id):
        if row.fixed not in kept:
            await _show(room, tx, row, **NOWHERE)
    lost = [row for row in await tx.find(ForwardingRow, port_id=port_id) if row.internal_ip not in kept]
    if lost:
        await tx.delete(ForwardingRow, id=[row.id for row in lost])
        for row in await tx.find(FloatingIpRow, id=sorted({forwarding.floating_ip_id for forwarding in lost})):
            left = await tx.find(ForwardingRow, floating_ip_id=row.id, order_by="external_port")
            await _show(room, tx, row, **with_forwardings(left, row.router_id))


async def _show(room: Network, tx: Transaction, row: FloatingIpRow, **changes: Any) -> None:
    await tx.update(FloatingIpRow, {"id": row.id}, **changes, revision=row.revision + 1, updated_at=room.clock.now())
    await stir(tx, RouterRow, "router", [row.router_id])


def with_forwardings(rows: list[ForwardingRow], router_id: str) -> dict[str, Any]:
    """The columns of a floating IP with these forwardings by way of a router; without any it leads nowhere."""
    shown = {"forwardings": forwardings_text(rows)}
    return shown | ({"router_id": router_id} if rows else {"router_id": "", "status": "DOWN"})


def forwardings_text(rows: list[ForwardingRow]) -> str:
    """Forwardings as a floating IP shows them."""
    shown = [
        {
            "id": row.id,
            "protocol": row.protocol,
            "internal_ip_address": row.internal_ip,
            "internal_port_id": row.port_id,
            **_ports_shown("internal", row.internal_port, row.internal_last),
            **_ports_shown("external", row.external_port, row.external_last),
        }
        for row in rows
    ]
    return msgspec.json.encode(shown).decode()


def _ports_shown(side: str, first: int, last: int) -> dict[str, int | str]:
    return {f"{side}_port": first} if first == last else {f"{side}_port_range": f"{first}:{last}"}


async def refuse_forwarded(tx: Transaction, port_id: str, wanted: set[str], *, keep: str) -> None:
    """Raise when a port would lose an address to which a floating IP leads."""
    lost = {has.ip_address for has in given_of(keep)} - wanted
    if not lost:
        return
    for row in await tx.find(FloatingIpRow, port_id=port_id):
        if row.fixed in lost and wanted:
            raise FloatingIPPortAlreadyAssociated(
                f"Floating IP {row.address} leads to {row.fixed} of port {port_id}. Disassociate it first.",
                type_name="PortBoundToFloatingIP",
            )
