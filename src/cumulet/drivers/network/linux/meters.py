"""Counters of what passes a router's gateway. Pure.

They stand in a table of their own, for they are to go on counting when the router's other rules are written anew.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

import msgspec

from cumulet.contracts.networks import Metered, MeterRule, MeterSpec, RouterSpec
from cumulet.drivers.network.linux import names

TABLE = "inet metering"
_COUNTER = "label-"


def no_meters() -> str:
    """The script that takes all counters of a router away."""
    return f"table {TABLE} {{}}\ndelete table {TABLE}\n"


def meters(router: RouterSpec, found: Iterable[str]) -> str:
    """The script that puts a router's meters in force; those that were there (`found`) keep what they counted.

    It stands where addresses are those inside: translated already on their way in, not yet on their way out.
    """
    wanted = {meter.id for meter in router.meters}
    lines = [f"table {TABLE} {{}}", f"flush table {TABLE}", f"table {TABLE} {{"]
    for meter in router.meters:
        lines.append(f" counter {_COUNTER}{meter.id} {{}}")
        lines += [f" chain {way}-{meter.id} {{ {_rules(meter, way)} }}" for way in ("ingress", "egress")]
    jumps = []
    for way in router.gateways:
        leg = names.gateway_leg(way.leg.port_id)
        for meter in router.meters:
            jumps.append(f'  iifname "{leg}" jump ingress-{meter.id}')
            jumps.append(f'  oifname "{leg}" jump egress-{meter.id}')
    lines += [" chain passing {", "  type filter hook forward priority filter; policy accept;", *jumps, " }", "}"]
    for gone in sorted(set(found) - wanted):
        lines += [f"delete chain {TABLE} {way}-{gone}" for way in ("ingress", "egress")]
        lines.append(f"delete counter {TABLE} {_COUNTER}{gone}")
    return "\n".join([*lines, ""])


def _rules(meter: MeterSpec, way: str) -> str:
    """What is excluded leaves first; what is counted leaves, so that it counts once."""
    mine = sorted((rule for rule in meter.rules if rule.direction == way), key=lambda rule: not rule.excluded)
    count = f'counter name "{_COUNTER}{meter.id}" return'
    return " ".join(f"{_match(rule)} {'return' if rule.excluded else count};" for rule in mine)


def _match(rule: MeterRule) -> str:
    return " ".join(_side(*side) for side in (("saddr", rule.source), ("daddr", rule.destination)) if side[1])


def _side(side: str, cidr: str) -> str:
    network = ipaddress.ip_network(cidr)
    if not network.prefixlen:
        return f"meta nfproto ipv{network.version}"
    return f"{'ip' if network.version == 4 else 'ip6'} {side} {network}"


def parse_counters(shown: bytes) -> list[Metered]:
    """From `nft -j list counters table inet metering`; nothing while there is no table."""
    found: list[dict[str, Any]] = msgspec.json.decode(shown.strip() or b"{}").get("nftables", [])
    counters = [entry["counter"] for entry in found if "counter" in entry]
    return [
        Metered(id=c["name"].removeprefix(_COUNTER), packets=c["packets"], bytes=c["bytes"])
        for c in counters
        if c["name"].startswith(_COUNTER)
    ]
