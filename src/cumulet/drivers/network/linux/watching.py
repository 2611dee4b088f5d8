"""The rules that tell of a port's packets, when somebody wants to know what its groups did with them. Pure.

A group's rules are shared by all its ports; one that is watched goes through a copy of its own, which tells of a packet
before it lets it pass. How often a rule may tell is limited where it stands, so that a flood costs the node little.
"""

from __future__ import annotations

from cumulet.contracts.networks import PortSpec
from cumulet.drivers.network.linux.nflog import GROUP, SNAP_BYTES

_LIMIT = "limit rate 100/second burst 25 packets"
DROPPED = ""
"""No group let it pass."""


def tells(direction: str, port_id: str, granting: str) -> str:
    """What is done with a packet that this group let pass, or none: words for whoever listens."""
    prefix = f"{direction} {port_id} {granting}".strip()
    return f'{_LIMIT} log prefix "{prefix}" group {GROUP} snaplen {SNAP_BYTES}'


def heard(prefix: str) -> tuple[str, str, str] | None:
    """(direction, port, group) of such words."""
    parts = prefix.split(" ")
    return (parts[0], parts[1], parts[2] if len(parts) > 2 else DROPPED) if len(parts) in (2, 3) else None


def watches(port: PortSpec, group_id: str) -> bool:
    """Is it to be told of what this group lets pass to or from this port?"""
    return any(log.event != "DROP" and log.group in ("", group_id) for log in port.logs)


def watches_drops(port: PortSpec) -> bool:
    return any(log.event != "ACCEPT" for log in port.logs)
