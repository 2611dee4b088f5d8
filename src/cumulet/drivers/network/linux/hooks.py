"""Where the kernel asks the filter: what is seen of each packet early, and which chains decide on it later. Pure.

Bridged frames of the Internet protocols pass through the connection tracker (br_netfilter), one zone for each network,
since tenants' addresses overlap. Early in the `inet` table the tracker's verdict is written into the packet's mark,
and all rules for ports stand in the `bridge` table, which sees ports but not the tracker.
"""

from __future__ import annotations

from cumulet.drivers.network.linux.bridges import TUNNEL_PORT
from cumulet.drivers.network.linux.ruleset import BRIDGE, INET, Chain

ESTABLISHED, NEW, STRAY, INVALID, UNTRACKED = 0x10, 0x20, 0x30, 0x40, 0x50
"""What the tracker thinks of a packet. STRAY: the middle of a TCP connection that it has not seen begin."""


def bridge_hooks() -> dict[str, Chain]:
    """What looks at frames between ports, and between a port and the namespace itself."""

    def hook(name: str, priority: int) -> str:
        return f"type filter hook {name} priority {priority}; policy accept;"

    arrive, leave = "iifname vmap @egress", "oifname vmap @ingress"
    resolve = "ether type arp accept"
    return {
        # A tap that is not in the fabric has no rules: nothing passes it.
        f"{BRIDGE} from-ports": Chain(
            ('iifname "tap*" iifname != @taps drop', "iifname vmap @shape"), hook("prerouting", -250)
        ),
        # Before br_netfilter (0), so that nothing forged reaches the tracker.
        f"{BRIDGE} unforged": Chain(("iifname vmap @guard",), hook("prerouting", -200)),
        # Two chains in a row, for `accept` in one goes on to the next: sender and receiver must both agree.
        f"{BRIDGE} between-ports-1": Chain((resolve, arrive), hook("forward", 10)),
        f"{BRIDGE} between-ports-2": Chain(
            ('oifname "tap*" oifname != @taps drop', resolve, leave), hook("forward", 11)
        ),
        # The last place, so that only what a guest would get is counted.
        f"{BRIDGE} to-ports": Chain(("oifname vmap @count",), hook("postrouting", 200)),
        # The namespace itself has an address on external networks.
        f"{BRIDGE} to-node": Chain((resolve, arrive), hook("input", 10)),
        f"{BRIDGE} from-node": Chain((resolve, leave), hook("output", 11)),
    }


def inet_hooks() -> dict[str, Chain]:
    """What looks at packets of the Internet protocols: their zone, the tracker's verdict, the node's own safety."""
    marks = f"established : {ESTABLISHED}, related : {ESTABLISHED}, new : {NEW}, invalid : {INVALID}"
    noted = (
        f"ct state new tcp flags & (fin|syn|rst|ack) != syn meta mark set {STRAY} return",
        f"meta mark set ct state map {{ {marks}, untracked : {UNTRACKED} }}",
    )
    tunnelled = f"udp dport {TUNNEL_PORT}"
    return {
        f"{INET} zone": Chain(
            (f'iifname != "br*" {tunnelled} notrack', "ct zone set iifname map @zones"),
            "type filter hook prerouting priority raw; policy accept;",
        ),
        f"{INET} untracked": Chain(
            (f'oifname != "br*" {tunnelled} notrack',), "type filter hook output priority raw; policy accept;"
        ),
        f"{INET} note": Chain(noted, "type filter hook prerouting priority mangle; policy accept;"),
        f"{INET} note-own": Chain(noted, "type filter hook output priority mangle; policy accept;"),
        # Tenants' bridges lead to nothing of the node's own; the external ones to its address, for a ping.
        f"{INET} to-node": Chain(
            (
                'iifname "brq*" drop',
                'iifname "br-*" ct state established,related accept',
                'iifname "br-*" meta l4proto { icmp, ipv6-icmp } accept',
                'iifname "br-*" drop',
                f"{tunnelled} ip saddr != @peers4 drop",
                f"{tunnelled} ip6 saddr != @peers6 drop",
            ),
            "type filter hook input priority filter; policy accept;",
        ),
        f"{INET} through-node": Chain(
            (
                'iifname "brq*" oifname != "brq*" drop',
                'oifname "brq*" iifname != "brq*" drop',
                # No guest reaches a tunnel's mouth, its own node's or another's.
                f'iifname "br-*" oifname != "br*" {tunnelled} drop',
            ),
            "type filter hook forward priority filter; policy accept;",
        ),
    }
