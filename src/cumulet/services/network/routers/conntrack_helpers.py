"""The noun `conntrack_helper`: protocols that open further connections, which a router is to understand."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Enum, Int, Text
from cumulet.lib.ids import new_uuid
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.routers.errors import ConntrackHelperNotFound
from cumulet.services.network.routers.routers import routers
from cumulet.services.network.routers.row import ConntrackHelperRow, RouterRow
from cumulet.services.network.standard import OF_A_PARENT, json_text
from cumulet.services.network.stirring import stir

HELPERS: dict[str, tuple[str, ...]] = {
    "amanda": ("udp",),
    "ftp": ("tcp",),
    "h323": ("tcp", "udp"),
    "irc": ("tcp",),
    "netbios-ns": ("udp",),
    "pptp": ("tcp",),
    "sane": ("tcp",),
    "sip": ("tcp", "udp"),
    "snmp": ("udp",),
    "tftp": ("udp",),
}
"""The helpers that there are, and what each can run over."""

conntrack_helpers = Noun(
    "/routers/{router_id}/conntrack_helpers",
    "conntrack_helper",
    "conntrack_helpers",
    ConntrackHelperRow,
    [
        OF_A_PARENT,
        Facet(
            "l3-conntrack-helper",
            "Conntrack helpers of routers",
            (
                Field(
                    "protocol",
                    Enum("tcp", "udp", "icmp", "dccp", "sctp", "ipv6-icmp", ignore_case=True),
                    create=REQUIRED,
                    update=OPTIONAL,
                ),
                Field("port", Int(1, 65535), create=REQUIRED, update=OPTIONAL),
                Field("helper", Text(64), create=REQUIRED, update=OPTIONAL),
            ),
        ),
    ],
    missing=ConntrackHelperNotFound,
    owner="",
    rule="router_conntrack_helper",
    parent=routers,
    parent_column="router_id",
)
conntrack_helpers.reads()


@conntrack_helpers.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> ConntrackHelperRow:
    router: RouterRow = call.parent
    row = ConntrackHelperRow(new_uuid(), router.project_id, router.id, wish["protocol"], wish["port"], wish["helper"])
    _refuse_odd(row)
    try:
        await tx.insert(row)
    except Duplicate as taken:
        raise _taken(row) from taken
    await _show(room, tx, router)
    return row


@conntrack_helpers.updating
async def update(
    room: Network, call: Call, tx: Transaction, row: ConntrackHelperRow, wish: dict[str, Any]
) -> ConntrackHelperRow:
    _refuse_odd(msgspec.structs.replace(row, **wish))
    try:
        changed: ConntrackHelperRow = await conntrack_helpers.save(room, tx, row, **wish)
    except Duplicate as taken:
        raise _taken(row) from taken
    await _show(room, tx, call.parent)
    return changed


@conntrack_helpers.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: ConntrackHelperRow) -> None:
    await tx.delete(ConntrackHelperRow, id=row.id)
    await _show(room, tx, call.parent)


def _refuse_odd(row: ConntrackHelperRow) -> None:
    if row.helper not in HELPERS:
        raise InvalidInput(
            f"Conntrack helper {row.helper} not allowed. Choose one of {', '.join(HELPERS)}.",
            type_name="ConntrackHelperNotAllowed",
        )
    if row.protocol not in HELPERS[row.helper]:
        raise InvalidInput(
            f"Conntrack helper {row.helper} does not support protocol {row.protocol}, only "
            f"{' and '.join(HELPERS[row.helper])}.",
            type_name="InvalidProtocolForHelper",
        )


def _taken(row: ConntrackHelperRow) -> InvalidInput:
    return InvalidInput(
        f"Bad conntrack_helper request: A duplicate conntrack helper entry with same attributes already exists, "
        f"conflicting values are: protocol {row.protocol}, port {row.port}, helper {row.helper}.",
        type_name="BadRequest",
    )


async def _show(room: Network, tx: Transaction, router: RouterRow) -> None:
    """Bring the router's text in line with its helpers, and its node with both."""
    rows = await tx.find(ConntrackHelperRow, router_id=router.id, order_by="port")
    shown = [{"protocol": row.protocol, "port": row.port, "helper": row.helper} for row in rows]
    await routers.save(room, tx, router, helpers=json_text(shown))
    await stir(tx, RouterRow, "router", [router.id])
