"""Allowed address pairs of a port, added and removed one by one."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.services.network.attributes import clean
from cumulet.services.network.errors import HTTPBadRequest
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.ports import ports
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.ports.security import refuse_odd_security
from cumulet.services.network.room import Network


@ports.verb("add_allowed_address_pairs", "update_port:allowed_address_pairs")
async def add_pairs(room: Network, call: Call, tx: Transaction, row: PortRow, body: dict[str, Any]) -> PortRow:
    has: list[dict[str, str]] = msgspec.json.decode(row.pairs)
    given = _given_pairs(body, row)
    return await _set_pairs(room, tx, row, has + [pair for pair in given if pair not in has])


@ports.verb("remove_allowed_address_pairs", "update_port:allowed_address_pairs")
async def remove_pairs(room: Network, call: Call, tx: Transaction, row: PortRow, body: dict[str, Any]) -> PortRow:
    given = _given_pairs(body, row)
    return await _set_pairs(room, tx, row, [p for p in msgspec.json.decode(row.pairs) if p not in given])


def _given_pairs(body: dict[str, Any], row: PortRow) -> list[dict[str, str]]:
    inner = body.get("port")
    if not isinstance(inner, dict) or "allowed_address_pairs" not in inner:
        raise HTTPBadRequest("Unable to find 'port' with 'allowed_address_pairs' in request body")
    given = clean(ports.attributes.creatable["allowed_address_pairs"], inner["allowed_address_pairs"])
    return [{"ip_address": p["ip_address"], "mac_address": p.get("mac_address") or row.mac} for p in given]


async def _set_pairs(room: Network, tx: Transaction, row: PortRow, pairs: list[dict[str, str]]) -> PortRow:
    refuse_odd_security(room, row.port_security, [], pairs)
    return await operations.change(room, tx, row, pair_list=pairs)
