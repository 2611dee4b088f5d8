"""Port security: the groups of a new port, and what cannot be without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.ports.errors import AddressPairAndPortSecurityRequired, PortSecurityPortHasSecurityGroup
from cumulet.services.network.room import Network
from cumulet.services.network.security_groups.groups import default_group, usable_groups


async def groups_of_new(
    room: Network, tx: Transaction, call: Call, wish: Mapping[str, Any], security: bool
) -> list[str]:
    """Those asked for, or the project's default group; none without port security, and for the service's own ports."""
    if "security_groups" in wish:
        return await usable_groups(tx, call, wish["security_groups"] or [])
    if not security or wish["device_owner"].startswith("network:"):
        return []
    return [(await default_group(room, tx, wish["project_id"])).id]


def refuse_odd_security(room: Network, security: bool, groups: Sequence[str], pairs: Sequence[Any]) -> None:
    """Raise where groups or pairs are given without port security, or too many pairs."""
    if not security and groups:
        raise PortSecurityPortHasSecurityGroup(
            "Port has security group associated. Cannot disable port security or ip address until security group is "
            "removed."
        )
    if not security and pairs:
        raise AddressPairAndPortSecurityRequired(
            "Port Security must be enabled in order to have allowed address pairs on a port."
        )
    if len(pairs) > room.most_address_pairs:
        raise InvalidInput(
            f"The number of allowed address pair exceeds the maximum {room.most_address_pairs}.",
            type_name="AllowedAddressPairExhausted",
        )
