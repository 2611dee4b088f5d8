"""What a port may send and get: limits of bytes and packets, marks, promises. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from cumulet.contracts.networks import PortSpec
from cumulet.drivers.network.linux.guarantees import priority_rule

MOST_BURST = (1 << 31) - 1
"""The kernel takes no larger number."""


def shape_rules(port: PortSpec, shares: Mapping[str, tuple[str, int]]) -> tuple[str, ...]:
    """For what comes from a port. `shares`: the ports that are promised some of a wire, each with its class."""
    rules = [priority_rule(shares[port.id][1])] if port.id in shares else []
    if port.dscp is not None:
        rules += [f"ip dscp set {port.dscp}", f"ip6 dscp set {port.dscp}"]
    if port.egress_kbps:
        per_second = port.egress_kbps * 125
        burst = burst_bytes(port.egress_kbps, port.egress_burst_kb)
        rules.append(f"limit rate over {per_second} bytes/second burst {burst} bytes drop")
    if port.egress_kpps:
        rules.append(packet_rule(port.egress_kpps, port.egress_burst_kp))
    return tuple(rules)


def packet_rule(kpps: int, burst_kp: int) -> str:
    """What passes at once is what was asked for, or what the rate allows in a tenth of a second, as with bytes."""
    return f"limit rate over {kpps * 1000}/second burst {min(burst_kp * 1000 or kpps * 100, MOST_BURST)} packets drop"


def burst_bytes(kbps: int, burst_kb: int = 0) -> int:
    """What may pass at once: what was asked for, or what the rate allows in a tenth of a second; a few frames at
    least."""
    return min(max(32_768, burst_kb * 125 or kbps * 125 // 10), MOST_BURST)
