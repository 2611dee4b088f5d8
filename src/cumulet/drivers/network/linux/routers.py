"""A router: its namespace's legs and routes, and its translation of addresses. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import ForwardingSpec, GatewaySpec, InterfaceSpec, NetworkSpec, RouterSpec
from cumulet.drivers.network.base import MetadataPlace
from cumulet.drivers.network.linux import names
from cumulet.drivers.network.linux.interior import (
    ROUTER_SETTINGS,
    STANDBY_SETTINGS,
    WAY_MASK,
    Interior,
    Leg,
    way_mark,
    way_table,
)
from cumulet.drivers.network.linux.meters import no_meters
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.rules import forwarded

METADATA_ADDRESS = "169.254.169.254"
METADATA_PORT = 9697
"""Where the redirected questions of guests arrive; port 80 of a router belongs to forwardings."""
TABLE = "inet cumulet"
_FROM_OUTSIDE = 0x1
_MEMBERSHIP = "icmpv6 type { mld-listener-report, mld2-listener-report, mld-listener-done } drop"
_WITHOUT_ADDRESS = "icmpv6 type nd-neighbor-advert ip6 saddr ::1 drop"
"""What answers for others with this source does not run here."""
_HELPERS = {
    **{(name, "tcp"): name for name in ("ftp", "irc", "pptp", "sane", "sip")},
    **{(name, "udp"): name for name in ("amanda", "netbios-ns", "sip", "snmp", "tftp")},
    ("h323", "tcp"): "Q.931",
    ("h323", "udp"): "RAS",
}
"""(helper, protocol) → its name in the kernel."""


def router_interior(router: RouterSpec, networks: Mapping[str, NetworkSpec], node: Node) -> Interior:
    """What the router's namespace should hold where the router runs."""
    legs = [_leg(router, names.router_leg(i.port_id), i, networks, ()) for i in router.interfaces]
    for way in router.gateways:
        # A floating address is the router's own, as far as the external network can see.
        own = {str(ipaddress.ip_interface(address).ip) for address in way.leg.addresses}
        extra = tuple(f"{address}/32" for address in way.floating if address not in own)
        legs.append(_leg(router, names.gateway_leg(way.leg.port_id), way.leg, networks, extra))
    if router.standby:
        legs.append(_leg(router, names.standby_leg(router.standby.leg.port_id), router.standby.leg, networks, ()))
    return Interior(
        names.router_namespace(node.namespace, router.id),
        (Kind.ROUTER, router.id),
        tuple(legs),
        _routes(router),
        (STANDBY_SETTINGS if router.standby else ROUTER_SETTINGS) + (_several(router) if router.further else ()),
        proxied=_proxied(router),
        ways=len(router.gateways) if router.further else 0,
    )


def _several(router: RouterSpec) -> tuple[tuple[str, str], ...]:
    """Settings of a router with several gateways: flows are told apart by their ports, and a silent next hop gets none
    if that is to be watched."""
    return (
        ("ipv4/fib_multipath_hash_policy", "1"),
        ("ipv6/fib_multipath_hash_policy", "1"),
        ("ipv4/fib_multipath_use_neigh", "1" if router.watched else "0"),
    )


def _proxied(router: RouterSpec) -> frozenset[tuple[str, str]]:
    if not router.gateway or not router.up:
        return frozenset()
    leg = names.gateway_leg(router.gateway.port_id)
    return frozenset((leg, str(ipaddress.ip_address(address))) for address in router.proxied or ())


def _leg(
    router: RouterSpec,
    name: str,
    interface: InterfaceSpec,
    networks: Mapping[str, NetworkSpec],
    extra: tuple[str, ...],
) -> Leg:
    addresses = tuple(str(ipaddress.ip_interface(address)) for address in interface.addresses)
    mtu = networks[interface.network_id].mtu
    return Leg(name, interface.mac.lower(), mtu, addresses + extra, router.up)


def _routes(router: RouterSpec) -> dict[str, str]:
    routes = _default_routes(router.gateways if router.spread else router.gateways[:1])
    for number, way in enumerate(router.gateways if router.further else (), 1):
        routes |= _default_routes((way,), f" table {way_table(number)}")
    for destination, hop in router.routes:
        leg = _leg_towards(router, hop)
        if leg:
            routes[str(ipaddress.ip_network(destination, strict=False))] = f"via {hop} dev {leg}"
    return routes


def _default_routes(ways: Sequence[GatewaySpec], table: str = "") -> dict[str, str]:
    """By all next hops of these ways in turn."""
    hops = [
        (_version(hop), f"via {hop} dev {names.gateway_leg(way.leg.port_id)}") for way in ways for hop in way.next_hops
    ]
    routes: dict[str, str] = {}
    for version, destination in ((4, "0.0.0.0/0"), (6, "::/0")):
        texts = [text for of, text in hops if of == version]
        if texts:
            routes[destination + table] = texts[0] if len(texts) == 1 else " ".join(f"nexthop {t}" for t in texts)
    return routes


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version


def _leg_towards(router: RouterSpec, hop: str) -> str:
    """The leg whose subnet the hop is in. The API has checked that there is one; without one there is no route."""
    address = ipaddress.ip_address(hop)
    for interface in router.interfaces:
        if any(address in ipaddress.ip_interface(own).network for own in interface.addresses):
            return names.router_leg(interface.port_id)
    for gateway in router.gateways:
        if any(address in ipaddress.ip_interface(own).network for own in gateway.leg.addresses):
            return names.gateway_leg(gateway.leg.port_id)
    return ""


def metadata_places(router: RouterSpec, node: Node) -> list[MetadataPlace]:
    """One for each leg: two networks behind one router are still two."""
    namespace = names.router_namespace(node.namespace, router.id)
    return [
        MetadataPlace(interface.network_id, namespace, names.router_leg(interface.port_id), "", METADATA_PORT)
        for interface in router.interfaces
    ]


def translation(router: RouterSpec) -> str:
    """The script that puts the router's rules in force, all at one instant. Flows that are established stay."""
    before = [f'iifname "qr-*" ip daddr {METADATA_ADDRESS} tcp dport 80 redirect to :{METADATA_PORT}']
    after: list[str] = []
    if router.gateway:
        before += [_forward(forwarding) for forwarding in router.forwardings]
        if router.floating:
            inward = ", ".join(f"{f.floating} : {f.fixed}" for f in router.floating)
            before.append(f"dnat ip to ip daddr map {{ {inward} }}")
    for way in router.gateways:
        outward = ", ".join(f"{f.fixed} : {f.floating}" for f in router.floating if f.floating in way.floating)
        if outward:
            leg = names.gateway_leg(way.leg.port_id)
            after.append(f'oifname "{leg}" snat ip to ip saddr map {{ {outward} }}')
    after += _masquerade(router)
    lines = [] if router.meters else no_meters().splitlines()
    lines += [f"table {TABLE} {{}}", f"delete table {TABLE}", f"table {TABLE} {{"]
    if router.gateway:
        marks = [
            f'iifname "{names.gateway_leg(way.leg.port_id)}" meta mark set {_FROM_OUTSIDE}' for way in router.gateways
        ]
        lines += _chain("outside", "filter hook prerouting priority raw", marks)
    if router.further:
        lines += _ways(router)
    lines += _helpers(router)
    lines += _chain("before", "nat hook prerouting priority dstnat", before)
    lines += _chain("after", "nat hook postrouting priority srcnat", after)
    # Advertisements leave from here, but DHCP is answered elsewhere.
    lines += _chain("own", "filter hook input priority filter", ["udp dport 547 drop"])
    if router.standby:
        # The kernel would speak of its groups as soon as a leg is up, and bridges would look for the router here.
        lines += _chain("quiet", "filter hook output priority filter", [_MEMBERSHIP, _WITHOUT_ADDRESS])
    if router.gateway and router.proxied is not None:
        inward_only = [rule for way in router.gateways for rule in _inward(way.leg, router.proxied)]
        lines += _chain("inward", "filter hook forward priority filter", inward_only)
    return "\n".join([*lines, "}", ""])


def _ways(router: RouterSpec) -> list[str]:
    """What came in by a gateway is answered by it, and who has a floating address leaves where that is."""
    rules = []
    for number, way in enumerate(router.gateways, 1):
        mark = f"ct state new ct mark set {way_mark(number):#x}"
        rules.append(f'iifname "{names.gateway_leg(way.leg.port_id)}" {mark}')
        fixed = sorted({f.fixed for f in router.floating if f.floating in way.floating})
        if fixed:
            rules.append(f'iifname "qr-*" ip saddr {{ {", ".join(fixed)} }} {mark}')
    follow = f"ct mark & {WAY_MASK:#x} != 0 meta mark set ct mark"
    return [
        *_chain("ways", "filter hook prerouting priority mangle", [*rules, f'iifname != "qg-*" {follow}']),
        *_chain("answers", "route hook output priority mangle", [follow]),
    ]


def _inward(gateway: InterfaceSpec, proxied: Sequence[str]) -> list[str]:
    """From outside only those are reached for whom the router answers there; others still get their answers."""
    leg = names.gateway_leg(gateway.port_id)
    others = f"ip6 daddr != {{ {', '.join(proxied)} }}" if proxied else "meta nfproto ipv6"
    return [f'iifname "{leg}" {others} ct state != {{ established, related }} drop']


def _forward(f: ForwardingSpec) -> str:
    last = f.external_port + f.more
    ports = f"{f.external_port}-{last}" if f.more else f"{f.external_port}"
    match = f"meta nfproto ipv4 ip daddr {f.floating} {f.protocol} dport {ports}"
    if f.together or not f.more:
        return f"{match} dnat ip to {f.fixed}:{f.internal_port}"
    if f.external_port == f.internal_port:
        return f"{match} dnat ip to {f.fixed}"
    # A range as the target would be used in any order.
    each = (f"{port} : {f.fixed} . {forwarded(f, port)}" for port in range(f.external_port, last + 1))
    return f"{match} dnat ip addr . port to {f.protocol} dport map {{ {', '.join(each)} }}"


def kernel_helper(helper: str, protocol: str) -> str:
    """What the kernel calls a helper over this protocol; empty if it has none."""
    return _HELPERS.get((helper, protocol), "")


def _helpers(router: RouterSpec) -> list[str]:
    """Objects for the helpers in use, and the rules that name them to the tracker with a flow's first packet."""
    if not router.helpers:
        return []
    used = sorted({(kernel_helper(helper, protocol), protocol) for helper, protocol, _ in router.helpers})
    objects = [
        f' ct helper {name.lower()}-{protocol} {{ type "{name}" protocol {protocol}; }}' for name, protocol in used
    ]
    rules = [
        f'{protocol} dport {port} ct helper set "{kernel_helper(helper, protocol).lower()}-{protocol}"'
        for helper, protocol, port in router.helpers
    ]
    return [*objects, *_chain("helpers", "filter hook prerouting priority mangle", rules)]


def _masquerade(router: RouterSpec) -> list[str]:
    outer = {
        names.gateway_leg(way.leg.port_id): own.partition("/")[0]
        for way in router.gateways
        for own in reversed(way.leg.addresses)
        if ":" not in own
    }
    rules = []
    if outer and (router.floating or router.forwardings):
        # A guest that speaks to a neighbour's floating address must get its answers by the way it asked.
        address = next(iter(outer.values()))
        rules.append(f'ct status dnat meta mark != {_FROM_OUTSIDE} oifname "qr-*" snat ip to {address}')
    if router.snat:
        rules += [f'oifname "{leg}" meta nfproto ipv4 snat ip to {address}' for leg, address in outer.items()]
    return rules


def _chain(name: str, hook: str, rules: list[str]) -> list[str]:
    return [f" chain {name} {{", f"  type {hook}; policy accept;", *(f"  {rule}" for rule in rules), " }"]


def retired_addresses(old: RouterSpec | None, new: RouterSpec) -> list[list[str]]:
    """Conditions, as `conntrack -D` takes them, of the flows that lost the translation they began with."""
    if old is None:
        return []
    kept = {(f.floating, f.fixed) for f in new.floating}
    gone: list[list[str]] = []
    for floating in old.floating:
        if (floating.floating, floating.fixed) not in kept:
            gone += [["--orig-dst", floating.floating], ["--reply-dst", floating.floating]]
    still = {_without_id(f) for f in new.forwardings}
    for f in old.forwardings:
        if _without_id(f) not in still:
            conditions = ["--proto", f.protocol, "--orig-dst", f.floating, "--reply-src", f.fixed]
            # The tracker cannot be asked for ports in a row: other flows of the two addresses begin again, too.
            gone.append(conditions if f.more else [*conditions, "--orig-port-dst", str(f.external_port)])
    return gone


def _without_id(forwarding: ForwardingSpec) -> ForwardingSpec:
    return msgspec.structs.replace(forwarding, id="")
