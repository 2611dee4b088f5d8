"""The noun `floatingip`."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Ip, Text, Uuid
from cumulet.lib.ids import new_uuid
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet, OrNull, Passed
from cumulet.services.network.floating_ips.association import (
    chosen_router,
    fixed_address,
    fixed_of,
    refuse_same_address,
    refuse_second,
    router_between,
    usable_port,
)
from cumulet.services.network.floating_ips.errors import (
    FloatingIPNotFound,
    FloatingIPPortAlreadyAssociated,
    FloatingIPUsedByPortForwarding,
)
from cumulet.services.network.floating_ips.row import NOWHERE, FloatingIpRow, ForwardingRow, details_of
from cumulet.services.network.networks.using import usable_network
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.addresses import Wanted, given_of
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.row import FLOATING, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.standard import STANDARD, standard
from cumulet.services.network.stirring import stir
from cumulet.services.network.wires import DnsName

WITHOUT_NAME = tuple(facet for facet in STANDARD if not any(field.name == "name" for field in facet.fields))

floatingips = Noun(
    "/floatingips",
    "floatingip",
    "floatingips",
    FloatingIpRow,
    [
        *WITHOUT_NAME,
        Facet(
            "router",
            "Routers",
            (
                Field("floating_network_id", Uuid, create=REQUIRED, source="network_id"),
                Field("floating_ip_address", Ip.or_null(), create=OPTIONAL, source="address"),
                Field("subnet_id", Uuid.or_null(), create=OPTIONAL, source=""),
                Field("port_id", Uuid.or_null(), create=OPTIONAL, update=OPTIONAL, source=OrNull("port_id")),
                Field("fixed_ip_address", Ip.or_null(), create=OPTIONAL, update=OPTIONAL, source=OrNull("fixed")),
                Field("status", Text()),
            ),
        ),
        Facet(
            "floating-ip-router-writable",
            "The router of a floating IP may be chosen",
            (Field("router_id", Uuid.or_null(), create=OPTIONAL, update=OPTIONAL, source=OrNull("router_id")),),
        ),
        Facet(
            "fip-port-details",
            "Details of the port behind a floating IP",
            (Field("port_details", Text(), source=Passed("port_details")),),
        ),
        Facet(
            "expose-port-forwarding-in-fip",
            "Port forwardings of a floating IP",
            (Field("port_forwardings", Text(), source=Passed("forwardings")),),
        ),
        Facet(
            "dns-integration",
            "DNS names",
            (Field("dns_name", DnsName, create=""), Field("dns_domain", DnsName, create="")),
        ),
    ],
    missing=FloatingIPNotFound,
    quota="floatingip",
)
floatingips.reads()


@floatingips.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> FloatingIpRow:
    network = await usable_network(tx, call, wish["floating_network_id"])
    if not network.external:
        raise InvalidInput(
            f"Bad floatingip request: Network {network.id} is not a valid external network.", type_name="BadRequest"
        )
    asked, subnet_id = wish.get("floating_ip_address") or "", wish.get("subnet_id") or ""
    columns = standard(wish, room.clock, new_uuid())
    own = await operations.make(
        room,
        tx,
        network,
        NewPort(
            project_id="",
            device_id=columns["id"],
            device_owner=FLOATING,
            addresses=[Wanted(subnet_id, asked)] if asked or subnet_id else None,
            port_security=False,
        ),
    )
    given = [has for has in given_of(own.fixed_ips) if ":" not in has.ip_address]
    if not given:
        raise InvalidInput(
            f"Bad floatingip request: Network {network.id} does not contain any IPv4 subnet.", type_name="BadRequest"
        )
    row = FloatingIpRow(
        **columns,
        network_id=network.id,
        address=given[0].ip_address,
        own_port_id=own.id,
        **NOWHERE,
        dns_name=wish["dns_name"],
        dns_domain=wish["dns_domain"],
        forwardings="[]",
    )
    await tx.update(PortRow, {"id": own.id}, status="N/A")
    if wish.get("port_id"):
        row = msgspec.structs.replace(row, **await _led_to(tx, call, row, wish))
    elif wish.get("fixed_ip_address"):
        raise InvalidInput(
            "Bad floatingip request: fixed_ip_address cannot be specified without a port_id.", type_name="BadRequest"
        )
    await tx.insert(row)
    return row


async def _led_to(tx: Transaction, call: Call, row: FloatingIpRow, wish: dict[str, Any]) -> dict[str, Any]:
    """The columns of a floating IP that leads to a port."""
    port = await usable_port(tx, call, wish["port_id"])
    if port.project_id != row.project_id:
        raise InvalidInput(
            f"Bad floatingip request: Port {port.id} is associated with a different tenant than Floating IP {row.id} "
            "and therefore cannot be bound.",
            type_name="BadRequest",
        )
    address = fixed_address(port, wish.get("fixed_ip_address") or "", row.address)
    await refuse_second(tx, row.id, port, address)
    if wish.get("router_id"):
        router = await chosen_router(tx, call, wish["router_id"], row.network_id)
    else:
        router = await router_between(tx, row.network_id, port, address)
    await refuse_same_address(tx, row.id, router, address)
    await stir(tx, RouterRow, "router", [router.id])
    if port.device_id:
        tx.wake("device", port.device_id)
    return {
        "port_id": port.id,
        "fixed": address.ip_address,
        "fixed_of": fixed_of(port.id, address.ip_address),
        "router_id": router.id,
        "status": "DOWN",
        "port_details": details_of(port),
    }


@floatingips.updating
async def update(room: Network, call: Call, tx: Transaction, row: FloatingIpRow, wish: dict[str, Any]) -> FloatingIpRow:
    changes: dict[str, Any] = {"description": wish["description"]} if "description" in wish else {}
    if wish.get("port_id"):
        if await tx.count(ForwardingRow, floating_ip_id=row.id):
            raise FloatingIPUsedByPortForwarding(
                f"Floating IP {row.id} is used by port forwardings. Delete them first.",
                type_name="FipInUseByPortForwarding",
            )
        changes |= await _led_to(tx, call, row, wish)
    elif "port_id" in wish or not wish:
        # Once the port was all that could be changed, and to say nothing was to say none; clients still do.
        changes |= {} if row.forwardings != "[]" else NOWHERE
    elif (wish.get("fixed_ip_address") or wish.get("router_id")) and row.port_id:
        changes |= await _led_to(tx, call, row, {**wish, "port_id": row.port_id})
    elif wish.get("fixed_ip_address"):
        raise InvalidInput(
            "Bad floatingip request: fixed_ip_address cannot be specified without a port_id.", type_name="BadRequest"
        )
    elif wish.get("router_id"):
        await chosen_router(tx, call, wish["router_id"], row.network_id)
        changes["router_id"] = wish["router_id"]
    changed = await _save(room, tx, row, changes)
    if changed.port_id != row.port_id or changed.fixed != row.fixed:
        await stir(tx, RouterRow, "router", {row.router_id, changed.router_id})
        before = await tx.get(PortRow, id=row.port_id) if row.port_id else None
        if before and before.device_id:
            tx.wake("device", before.device_id)
    return changed


async def _save(room: Network, tx: Transaction, row: FloatingIpRow, changes: dict[str, Any]) -> FloatingIpRow:
    try:
        changed: FloatingIpRow = await floatingips.save(room, tx, row, **changes)
    except Duplicate as race:
        raise FloatingIPPortAlreadyAssociated(
            f"Cannot associate floating IP {row.address}: the fixed IP has one already."
        ) from race
    return changed


@floatingips.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: FloatingIpRow) -> None:
    if await tx.count(ForwardingRow, floating_ip_id=row.id):
        raise FloatingIPUsedByPortForwarding(
            f"Floating IP {row.id} in use by Port Forwarding resources. Delete them first.",
            type_name="FipInUseByPortForwarding",
        )
    own = await tx.get(PortRow, id=row.own_port_id)
    if own:
        await operations.erase(room, tx, own)
    await stir(tx, RouterRow, "router", [row.router_id])
    port = await tx.get(PortRow, id=row.port_id) if row.port_id else None
    if port and port.device_id:
        tx.wake("device", port.device_id)
