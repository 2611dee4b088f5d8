"""The noun `port_association`: the ports that a local IP leads to."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Ip, Text, Uuid
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet
from cumulet.services.network.floating_ips.association import usable_port
from cumulet.services.network.local_ips.errors import LocalIPAssociationExists, LocalIPAssociationNotFound
from cumulet.services.network.local_ips.local_ips import address_of, local_ips
from cumulet.services.network.local_ips.row import AssociationRow, LocalIpRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.stirring import stir

port_associations = Noun(
    "/local_ips/{local_ip_id}/port_associations",
    "port_association",
    "port_associations",
    AssociationRow,
    [
        Facet(fields=(Field("project_id", Text(255), create=OPTIONAL, source=""),)),
        Facet(
            "local_ip",
            "Addresses that lead to a port of the same node",
            (
                Field("local_ip_id", Text()),
                Field("local_ip_address", Text(), source="address"),
                Field("fixed_port_id", Uuid, create=REQUIRED, source="id"),
                Field("fixed_ip", Ip.or_null(), create=OPTIONAL, source="fixed"),
                Field("host", Text()),
            ),
        ),
    ],
    missing=LocalIPAssociationNotFound,
    owner="",
    rule="local_ip_port_association",
    parent=local_ips,
    parent_column="local_ip_id",
)
port_associations.reads()


@port_associations.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> AssociationRow:
    local: LocalIpRow = call.parent
    port = await usable_port(tx, call, wish["fixed_port_id"])
    if port.network_id != local.network_id:
        raise InvalidInput(
            f"Invalid input for operation: port {port.id} is not in network {local.network_id} of local IP {local.id}."
        )
    if port.id == local.port_id:
        raise InvalidInput(
            f"Invalid input for operation: port {port.id} has the address of local IP {local.id} itself."
        )
    fixed = address_of(port, wish.get("fixed_ip") or "")
    row = AssociationRow(local.id, port.id, local.project_id, local.address, fixed, port.host)
    try:
        await tx.insert(row)
    except Duplicate as taken:
        raise LocalIPAssociationExists(f"Local IP {local.id} is associated with port {port.id} already.") from taken
    await stir(tx, PortRow, "port", [port.id])
    return row


@port_associations.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: AssociationRow) -> None:
    await stir(tx, PortRow, "port", [row.id])
