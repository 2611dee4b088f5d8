"""The noun `port_forwarding`: ports of a floating IP that lead to ports of fixed addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter
from cumulet.core.web.wire import Enum, Int, Ip, Uuid
from cumulet.lib.ids import new_uuid
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet
from cumulet.services.network.floating_ips.association import fixed_address, fixed_of, router_between, usable_port
from cumulet.services.network.floating_ips.errors import (
    FloatingIPPortAlreadyAssociated,
    FloatingIPUsedByPortForwarding,
    PortForwardingNotFound,
)
from cumulet.services.network.floating_ips.floating_ips import floatingips
from cumulet.services.network.floating_ips.row import FloatingIpRow, ForwardingRow, with_forwardings
from cumulet.services.network.noun import Noun
from cumulet.services.network.querying import number_within
from cumulet.services.network.room import Network
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.standard import OF_A_PARENT, NameText
from cumulet.services.network.stirring import stir
from cumulet.services.network.wires import PortRange

port_forwardings = Noun(
    "/floatingips/{floatingip_id}/port_forwardings",
    "port_forwarding",
    "port_forwardings",
    ForwardingRow,
    [
        OF_A_PARENT,
        Facet(
            "floating-ip-port-forwarding",
            "Port forwardings",
            (
                Field("protocol", Enum("tcp", "udp", ignore_case=True), create=REQUIRED, update=OPTIONAL),
                Field(
                    "external_port",
                    Int(1, 65535).or_null(),
                    create=OPTIONAL,
                    update=OPTIONAL,
                    source=lambda row, call: row.external_port if row.external_port == row.external_last else None,
                ),
                Field(
                    "internal_port",
                    Int(1, 65535).or_null(),
                    create=OPTIONAL,
                    update=OPTIONAL,
                    source=lambda row, call: row.internal_port if row.internal_port == row.internal_last else None,
                ),
                Field("internal_ip_address", Ip, create=OPTIONAL, update=OPTIONAL, source="internal_ip"),
                Field("internal_port_id", Uuid, create=REQUIRED, update=OPTIONAL, source="port_id"),
            ),
        ),
        Facet(
            "floating-ip-port-forwarding-port-ranges",
            "Forwardings of ports in a row",
            (
                Field(
                    "external_port_range",
                    PortRange.or_null(),
                    create=OPTIONAL,
                    update=OPTIONAL,
                    source=lambda row, call: f"{row.external_port}:{row.external_last}",
                ),
                Field(
                    "internal_port_range",
                    PortRange.or_null(),
                    create=OPTIONAL,
                    update=OPTIONAL,
                    source=lambda row, call: f"{row.internal_port}:{row.internal_last}",
                ),
            ),
        ),
        Facet(
            "floating-ip-port-forwarding-description",
            "Descriptions of port forwardings",
            (Field("description", NameText, create="", update=OPTIONAL),),
        ),
        Facet("floating-ip-port-forwarding-detail", "Details of port forwardings in floating IPs"),
    ],
    filters=[Filter(f"{side}_port", f"{side}_port", number_within(2**31)) for side in ("external", "internal")],
    missing=PortForwardingNotFound,
    owner="",
    rule="floatingip_port_forwarding",
    parent=floatingips,
    parent_column="floating_ip_id",
)
port_forwardings.reads()


@port_forwardings.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> ForwardingRow:
    floating: FloatingIpRow = call.parent
    if floating.port_id:
        raise FloatingIPUsedByPortForwarding(
            f"Floating IP {floating.id} leads to port {floating.port_id} as a whole. Disassociate it first.",
            type_name="FipInUseByPortForwarding",
        )
    outer, inner = _ports(wish, "external"), _ports(wish, "internal")
    row = ForwardingRow(
        id=new_uuid(),
        project_id=floating.project_id,
        floating_ip_id=floating.id,
        protocol=wish["protocol"],
        external_port=outer[0],
        external_last=outer[1],
        internal_port=inner[0],
        internal_last=inner[1],
        internal_ip="",
        port_id=wish["internal_port_id"],
        description=wish["description"],
    )
    row.internal_ip, router_id = await _inside(tx, call, floating, row.port_id, wish.get("internal_ip_address", ""))
    await _refuse_clash(room, tx, row)
    await tx.insert(row)
    await _show(room, tx, floating, router_id)
    return row


def _ports(wish: Mapping[str, Any], side: str) -> tuple[int, int]:
    """The first and the last port of one side. Raises."""
    one, some = wish.get(f"{side}_port"), wish.get(f"{side}_port_range")
    if (one is None) == (some is None):
        raise InvalidInput(
            f"Bad port_forwarding request: one of {side}_port and {side}_port_range is needed, and only one.",
            type_name="BadRequest",
        )
    if one is not None:
        return one, one
    first, _, last = str(some).partition(":")
    return int(first), int(last or first)


async def _inside(tx: Transaction, call: Call, floating: FloatingIpRow, port_id: str, ip: str) -> tuple[str, str]:
    """The inner address, and the router on the way to it."""
    port = await usable_port(tx, call, port_id)
    address = fixed_address(port, ip, floating.address)
    whole = await tx.get(FloatingIpRow, fixed_of=fixed_of(port.id, address.ip_address))
    if whole:
        raise FloatingIPPortAlreadyAssociated(
            f"Port {port.id} has the floating IP {whole.address} for {address.ip_address} as a whole.",
            type_name="PortHasBindingFloatingIP",
        )
    router = await router_between(tx, floating.network_id, port, address)
    if floating.router_id and floating.router_id != router.id:
        raise InvalidInput(
            f"Port {port_id} lies behind router {router.id}; the floating IP's other forwardings behind "
            f"{floating.router_id}.",
            type_name="BadRequest",
        )
    return address.ip_address, router.id


async def _refuse_clash(room: Network, tx: Transaction, row: ForwardingRow) -> None:
    """Raise where the two sides do not fit, or another forwarding has one of the outer ports."""
    width = row.internal_last - row.internal_port
    if width not in (0, row.external_last - row.external_port):
        raise InvalidInput(
            f"Bad port_forwarding request: external ports {row.external_port}:{row.external_last} lead to as many "
            f"internal ones, or all to one; not to {row.internal_port}:{row.internal_last}.",
            type_name="BadRequest",
        )
    # Written first, so that of two requests for ports that overlap one waits here, and then sees the other's.
    await tx.update(FloatingIpRow, {"id": row.floating_ip_id}, updated_at=room.clock.now())
    for other in await tx.find(ForwardingRow, floating_ip_id=row.floating_ip_id, protocol=row.protocol):
        if other.id != row.id and other.external_port <= row.external_last and row.external_port <= other.external_last:
            raise _taken(row)
        inner = other.internal_port <= row.internal_last and row.internal_port <= other.internal_last
        if other.id != row.id and inner and (other.port_id, other.internal_ip) == (row.port_id, row.internal_ip):
            raise InvalidInput(
                f"Bad port_forwarding request: internal port {row.internal_port} of {row.internal_ip} has a port "
                f"forwarding already: {other.id}.",
                type_name="BadRequest",
            )


def _taken(row: ForwardingRow) -> InvalidInput:
    return InvalidInput(
        f"Bad port_forwarding request: A duplicate port forwarding entry with same attributes already exists, "
        f"conflicting values are: external_port {row.external_port}, protocol {row.protocol}.",
        type_name="BadRequest",
    )


async def _show(room: Network, tx: Transaction, floating: FloatingIpRow, router_id: str) -> None:
    """Bring the floating IP in line with its forwardings."""
    rows = await tx.find(ForwardingRow, floating_ip_id=floating.id, order_by="external_port")
    await floatingips.save(room, tx, floating, **with_forwardings(rows, router_id))
    await stir(tx, RouterRow, "router", {router_id, floating.router_id})


@port_forwardings.updating
async def update(room: Network, call: Call, tx: Transaction, row: ForwardingRow, wish: dict[str, Any]) -> ForwardingRow:
    floating: FloatingIpRow = call.parent
    changes: dict[str, Any] = {name: wish[name] for name in ("protocol", "description") if name in wish}
    for side in ("external", "internal"):
        if any(wish.get(name) is not None for name in (f"{side}_port", f"{side}_port_range")):
            changes[f"{side}_port"], changes[f"{side}_last"] = _ports(wish, side)
    if "internal_port_id" in wish or "internal_ip_address" in wish:
        port_id = changes["port_id"] = wish.get("internal_port_id", row.port_id)
        changes["internal_ip"], _ = await _inside(tx, call, floating, port_id, wish.get("internal_ip_address", ""))
    await _refuse_clash(room, tx, msgspec.structs.replace(row, **changes))
    changed: ForwardingRow = await port_forwardings.save(room, tx, row, **changes)
    await _show(room, tx, floating, floating.router_id)
    return changed


@port_forwardings.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: ForwardingRow) -> None:
    await tx.delete(ForwardingRow, id=row.id)
    await _show(room, tx, call.parent, call.parent.router_id)
