"""Whom it concerns that a port came, changed or went: the nodes of its network and groups, and its device."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.row import DHCP, PortRow
from cumulet.services.network.security_groups.members import stir_groups
from cumulet.services.network.stirring import depart, stir

OF_THE_SPEC = {
    "mac",
    "admin_up",
    "device_id",
    "device_owner",
    "host",
    "port_security",
    "fixed_ips",
    "groups",
    "pairs",
    "dhcp_options",
    "dns_name",
    "qos_policy_id",
}
"""Columns that the order to the nodes is made of."""
OF_THE_MEMBER = {"host", "groups", "fixed_ips", "pairs"}
"""Columns that decide what the other members of its groups let pass from it."""


async def tell_of_new(tx: Transaction, row: PortRow) -> None:
    if row.host:
        await stir(tx, NetworkRow, "network", [row.network_id])
        await stir_groups(tx, _groups(row))
        tx.wake("port", row.id)
    if row.device_id:
        tx.wake("device", row.device_id)


async def tell_of_change(tx: Transaction, before: PortRow, row: PortRow, changed: Collection[str]) -> None:
    if "generation" in changed:
        tx.wake("port", row.id)
    if "host" in changed or ("admin_up" in changed and row.device_owner == DHCP):
        await stir(tx, NetworkRow, "network", [row.network_id])
    if OF_THE_MEMBER & set(changed) and (before.host or row.host):
        await stir_groups(tx, _groups(before) | _groups(row))
    for device in {before.device_id, row.device_id} - {""}:
        tx.wake("device", device)


async def tell_of_end(tx: Transaction, row: PortRow, *, somewhere: bool) -> None:
    """`somewhere`: a node has it, or may have it."""
    if somewhere:
        await depart(tx, "port", row.id)
        await stir(tx, NetworkRow, "network", [row.network_id])
        await stir_groups(tx, _groups(row))
    if row.device_id:
        tx.wake("device", row.device_id)


def _groups(row: PortRow) -> set[str]:
    return set(msgspec.json.decode(row.groups))
