"""What a guest may say of itself: rules that drop every frame with a source that is not its own. Pure."""

from __future__ import annotations

import ipaddress

from cumulet.contracts.networks import PortSpec

_DHCP_REQUEST = "udp sport 68 udp dport 67"
_ROUTER_ADVERTISEMENT = "icmpv6 type { nd-router-advert, nd-redirect } drop"
_UNSPECIFIED_ASKS = (
    "ip6 saddr :: icmpv6 type { nd-router-solicit, nd-neighbor-solicit, mld2-listener-report, "
    "mld-listener-report } accept"
)


def guard_rules(port: PortSpec) -> tuple[str, ...]:
    """The rules for frames that come from this port; what none accepts is dropped."""
    four, six = _identities(port)
    macs = sorted({mac for mac, _ in (*four, *six)} | {port.mac.lower()})
    rules = [
        f"ether saddr != {_set(macs)} drop",
        # A tag would carry the frame past every rule below.
        "ether type != { arp, ip, ip6 } drop",
        # Somebody who looks whether an address is free has none yet.
        f"arp saddr ether {_set(macs)} arp saddr ip 0.0.0.0 accept",
    ]
    if four:
        pairs = _set([f"{mac} . {cidr}" for mac, cidr in four])
        rules.append(f"arp saddr ether . arp saddr ip {pairs} accept")
    rules += [
        "ether type arp drop",
        f"ip saddr 0.0.0.0 {_DHCP_REQUEST} accept",
        # Only the network's own DHCP may answer, only its own router may advertise.
        "udp sport 67 udp dport 68 drop",
        "udp sport 547 udp dport 546 drop",
        _ROUTER_ADVERTISEMENT,
    ]
    if four:
        rules.append(f"ether saddr . ip saddr {_set([f'{mac} . {cidr}' for mac, cidr in four])} accept")
    rules += [_UNSPECIFIED_ASKS, *_advertised(six)]
    rules.append(f"ether saddr . ip6 saddr {_set([f'{mac} . {cidr}' for mac, cidr in six])} accept")
    return (*rules, "drop")


def _advertised(six: list[tuple[str, str]]) -> list[str]:
    """A neighbour advertisement speaks for the address in its body, whatever its source is.

    This nftables knows no name for that field: 128 bits, 8 bytes into the ICMPv6 message.
    """
    targets = sorted({_as_number(cidr) for _, cidr in six})
    return [f"icmpv6 type nd-neighbor-advert @th,64,128 != {_set(targets)} drop"]


def _as_number(cidr: str) -> str:
    network = ipaddress.IPv6Network(cidr)
    first, last = int(network.network_address), int(network.broadcast_address)
    return f"{first:#034x}" if first == last else f"{first:#034x}-{last:#034x}"


def _identities(port: PortSpec) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(MAC, address or range) for each IP version, no range inside another: a set holds no two that overlap."""
    pairs = [(port.mac, fixed.ip) for fixed in port.addresses]
    pairs += [(mac or port.mac, cidr) for mac, cidr in port.allowed_pairs]
    macs = {mac for mac, _ in pairs} | {port.mac}
    pairs += [(mac, str(link_local(mac))) for mac in macs]
    four: list[tuple[str, str]] = []
    six: list[tuple[str, str]] = []
    for mac in sorted({mac.lower() for mac in macs}):
        mine = [ipaddress.ip_network(cidr, strict=False) for owner, cidr in pairs if owner.lower() == mac]
        merged_four = ipaddress.collapse_addresses(n for n in mine if isinstance(n, ipaddress.IPv4Network))
        merged_six = ipaddress.collapse_addresses(n for n in mine if isinstance(n, ipaddress.IPv6Network))
        four += [(mac, _short(network)) for network in merged_four]
        six += [(mac, _short(network)) for network in merged_six]
    return four, six


def link_local(mac: str) -> ipaddress.IPv6Address:
    """The address that an interface makes of its MAC."""
    octets = bytes.fromhex(mac.replace(":", ""))
    interface = bytes([octets[0] ^ 2, octets[1], octets[2], 0xFF, 0xFE, *octets[3:]])
    return ipaddress.IPv6Address(bytes.fromhex("fe80000000000000") + interface)


def _short(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _set(elements: list[str]) -> str:
    return f"{{ {', '.join(elements)} }}"
