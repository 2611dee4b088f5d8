"""Small fabrics to order: two tenants with the same addresses, an external network, routers, groups."""

from __future__ import annotations

import uuid

import msgspec

from cumulet.contracts.networks import (
    Address,
    Fabric,
    FloatingSpec,
    GroupSpec,
    InterfaceSpec,
    NetworkSpec,
    NetworkType,
    PortSpec,
    RouterSpec,
    RuleSpec,
    SubnetSpec,
)

NODE = "maple"
OUTSIDE = "198.51.100.1"
"""The gateway of the external network: the node's own namespace."""
OUTSIDE_SIX = "2001:db8:ffff::1"
"""The same place by its IPv6 address."""


def uid(name: str) -> str:
    """The same id for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def mac(name: str) -> str:
    digest = uuid.uuid5(uuid.NAMESPACE_DNS, f"mac {name}").bytes
    return "fa:16:3e:" + ":".join(f"{octet:02x}" for octet in digest[:3])


def tenant_network(name: str, **changes: object) -> NetworkSpec:
    """10.0.0.0/24 with DHCP, whatever its name is."""
    spec = NetworkSpec(
        id=uid(name),
        type=NetworkType.LOCAL,
        mtu=1450,
        dhcp_mac=mac(f"dhcp {name}"),
        dns_domain="example.org",
        subnets=(
            SubnetSpec(
                id=uid(f"{name} v4"),
                cidr="10.0.0.0/24",
                version=4,
                gateway="10.0.0.1",
                dhcp_address="10.0.0.2",
                dns=("192.0.2.53",),
                routes=(("10.99.0.0/16", "10.0.0.77"),),
            ),
        ),
    )
    return msgspec.structs.replace(spec, **changes)


def external_network(*, six: bool = False) -> NetworkSpec:
    """Of IPv4, and of IPv6 as well if asked for."""
    return NetworkSpec(
        id=uid("public"),
        type=NetworkType.FLAT,
        physical_network="public",
        mtu=1500,
        external=True,
        subnets=(
            SubnetSpec(id=uid("public v4"), cidr="198.51.100.0/24", version=4, gateway=OUTSIDE, dhcp=False),
            *([_OUTSIDE_SIX] if six else []),
        ),
    )


def second_external_network() -> NetworkSpec:
    """Another provider's."""
    return NetworkSpec(
        id=uid("second"),
        type=NetworkType.FLAT,
        physical_network="second",
        mtu=1500,
        external=True,
        subnets=(SubnetSpec(id=uid("second v4"), cidr="203.0.113.0/24", version=4, gateway="203.0.113.1", dhcp=False),),
    )


_OUTSIDE_SIX = SubnetSpec(id=uid("public v6"), cidr="2001:db8:ffff::/64", version=6, gateway=OUTSIDE_SIX, dhcp=False)


def port(name: str, network: str, *addresses: str, **changes: object) -> PortSpec:
    """A guest's port; its group is `open` unless told otherwise."""
    spec = PortSpec(
        id=uid(name),
        network_id=uid(network),
        mac=mac(name),
        host=NODE,
        device_owner="compute:nova",
        hostname=name,
        groups=(uid("open"),),
        addresses=tuple(Address(subnet_id=uid(f"{network} v{6 if ':' in ip else 4}"), ip=ip) for ip in addresses),
    )
    return msgspec.structs.replace(spec, **changes)


def rule(
    direction: str, protocol: str = "", first: int | None = None, last: int | None = None, **more: object
) -> RuleSpec:
    text = f"{direction} {protocol} {first} {last} {sorted(more.items())}"
    spec = RuleSpec(id=uid(text), direction=direction, version=4, protocol=protocol)
    last = first if last is None and protocol not in ("icmp", "icmpv6") else last
    return msgspec.structs.replace(spec, port_min=first, port_max=last, **more)


def group(name: str, *rules: RuleSpec, members: tuple[str, ...] = (), **changes: object) -> GroupSpec:
    return msgspec.structs.replace(GroupSpec(id=uid(name), rules=rules, members=members), **changes)


EVERYTHING_OUT = rule("egress")
OPEN = group("open", EVERYTHING_OUT, rule("egress", version=6), rule("ingress"), rule("ingress", version=6))


def leg(name: str, network: str, *addresses: str) -> InterfaceSpec:
    return InterfaceSpec(port_id=uid(name), network_id=uid(network), mac=mac(name), addresses=addresses)


def router(name: str, network: str, outer: str, *floating: tuple[str, str], **changes: object) -> RouterSpec:
    """Between a tenant's network and the external one."""
    spec = RouterSpec(
        id=uid(name),
        interfaces=(leg(f"{name} inside", network, "10.0.0.1/24"),),
        gateway=leg(f"{name} outside", "public", f"{outer}/24"),
        next_hops=(OUTSIDE,),
        floating=tuple(FloatingSpec(id=uid(f"fip {f}"), floating=f, fixed=fixed) for f, fixed in floating),
    )
    return msgspec.structs.replace(spec, **changes)


def with_(fabric: Fabric, **changes: object) -> Fabric:
    return msgspec.structs.replace(fabric, **changes)
