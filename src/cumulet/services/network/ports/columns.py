"""What a port's row keeps of what was asked for: MAC, names, pairs, DHCP options. What is odd is refused."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from cumulet.core.db import Transaction
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.addresses import Given
from cumulet.services.network.ports.errors import MacAddressInUse
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.standard import json_text

MOST_OPTIONS = 64
"""DHCP options of one port."""


def new_mac(room: Network) -> str:
    first, second, third = room.base_mac
    octets = (first, second, third, *secrets.token_bytes(3))
    return ":".join(f"{octet:02x}" for octet in octets)


async def refuse_taken_mac(tx: Transaction, network_id: str, mac: str) -> None:
    if await tx.get(PortRow, network_id=network_id, mac=mac):
        raise mac_taken(mac, network_id)


def mac_taken(mac: str, network_id: str) -> MacAddressInUse:
    return MacAddressInUse(f"Unable to complete operation for network {network_id}. The mac address {mac} is in use.")


def dns_assignment(room: Network, network: NetworkRow, name: str, given: Sequence[Given]) -> str:
    """The names under which a port's addresses are known, as the view shows them."""
    domain = network.dns_domain or room.dns_domain
    entries = []
    for address in given:
        host = name or f"host-{address.ip_address.replace('.', '-').replace(':', '-')}"
        entries.append({"hostname": host, "ip_address": address.ip_address, "fqdn": f"{host}.{domain.rstrip('.')}."})
    return json_text(entries)


def pairs_text(pairs: Sequence[dict[str, str]], mac: str) -> str:
    """Allowed address pairs, each with a MAC: the port's own where none was named. Raises for doubles."""
    shown: list[dict[str, str]] = []
    for pair in pairs:
        entry = {"ip_address": pair["ip_address"], "mac_address": pair.get("mac_address") or mac}
        if entry in shown:
            raise InvalidInput(
                f"Request contains duplicate address pair: mac_address {entry['mac_address']} ip_address "
                f"{entry['ip_address']}."
            )
        shown.append(entry)
    return json_text(shown)


def with_options(before: Sequence[dict[str, Any]], given: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """DHCP options after a change: named ones are set, those with null are taken away."""
    found = {(option["opt_name"], option["ip_version"]): option for option in before}
    for option in given:
        key = (option["opt_name"], option["ip_version"])
        if option["opt_value"] is None:
            found.pop(key, None)
        elif option["opt_name"] != "bootfile-name" and option["opt_value"] == "":
            raise InvalidInput(f"Invalid data format for extra-dhcp-opt: {option['opt_name']} has no value.")
        else:
            found[key] = {"opt_name": key[0], "opt_value": option["opt_value"], "ip_version": key[1]}
    if len(found) > MOST_OPTIONS:
        raise InvalidInput(
            f"Invalid input for extra_dhcp_opts. Reason: a port has at most {MOST_OPTIONS} options; give others "
            "null to take them away."
        )
    return list(found.values())


def groups_text(groups: Sequence[str]) -> str:
    return json_text(sorted(set(groups)))
