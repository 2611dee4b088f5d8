"""The noun `local_ip`."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Enum, Ip, Uuid
from cumulet.lib.ids import new_uuid
from cumulet.services.network.facets import Facet
from cumulet.services.network.floating_ips.association import usable_port
from cumulet.services.network.local_ips.errors import (
    LocalIPInUse,
    LocalIPNoRequestedIP,
    LocalIPNotFound,
    LocalIPPortOrNetworkRequired,
    LocalIPRequestedIPNotFound,
)
from cumulet.services.network.local_ips.row import PASSTHROUGH, AssociationRow, LocalIpRow
from cumulet.services.network.networks.using import usable_network
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.addresses import Wanted, given_of
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.row import LOCAL, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.standard import NEWER, standard

local_ips = Noun(
    "/local-ips",
    "local_ip",
    "local_ips",
    LocalIpRow,
    [
        *NEWER,
        Facet(
            "local_ip",
            "Addresses that lead to a port of the same node",
            (
                Field("local_port_id", Uuid, create=OPTIONAL, source="port_id"),
                Field("network_id", Uuid, create=OPTIONAL),
                Field("local_ip_address", Ip.or_null(), create=OPTIONAL, source="address"),
                Field("ip_mode", Enum("translate", PASSTHROUGH), create="translate", source="mode"),
            ),
        ),
    ],
    missing=LocalIPNotFound,
)
local_ips.reads()


@local_ips.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> LocalIpRow:
    columns = standard(wish, room.clock, new_uuid())
    asked = wish.get("local_ip_address") or ""
    if wish.get("local_port_id"):
        port = await usable_port(tx, call, wish["local_port_id"])
    elif wish.get("network_id"):
        network = await usable_network(tx, call, wish["network_id"])
        new = NewPort(
            project_id=wish["project_id"],
            device_id=columns["id"],
            device_owner=LOCAL,
            addresses=[Wanted(ip=asked)] if asked else None,
            port_security=False,
        )
        port = await operations.make(room, tx, network, new)
    else:
        raise LocalIPPortOrNetworkRequired("Either Port ID or Network ID must be specified for Local IP create.")
    row = LocalIpRow(
        **columns,
        network_id=port.network_id,
        port_id=port.id,
        address=address_of(port, asked),
        mode=wish["ip_mode"],
    )
    await tx.insert(row)
    return row


def address_of(port: PortRow, asked: str) -> str:
    """The IPv4 address of a port that is meant: the one asked for, or its only one."""
    fit = [has.ip_address for has in given_of(port.fixed_ips) if ":" not in has.ip_address]
    if asked and asked not in fit:
        raise LocalIPRequestedIPNotFound(f"Requested IPv4 address {asked} not found on port {port.id}.")
    if not fit:
        raise LocalIPRequestedIPNotFound(f"Port {port.id} has no IPv4 address.")
    if not asked and len(fit) > 1:
        raise LocalIPNoRequestedIP(f"Port {port.id} has several IPv4 addresses. Name one of them.")
    return asked or fit[0]


@local_ips.updating
async def update(room: Network, call: Call, tx: Transaction, row: LocalIpRow, wish: dict[str, Any]) -> LocalIpRow:
    return await local_ips.save(room, tx, row, **wish)  # type: ignore[no-any-return]


@local_ips.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: LocalIpRow) -> None:
    if await tx.count(AssociationRow, local_ip_id=row.id):
        raise LocalIPInUse(f"Local IP {row.id} is still associated with one or more ports.")
    own = await tx.get(PortRow, id=row.port_id, device_id=row.id, device_owner=LOCAL)
    if own:
        await operations.erase(room, tx, own)
