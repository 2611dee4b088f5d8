"""From rows to orders for nodes. Pure: the same rows give the same text."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from cumulet.contracts.networks import (
    Address,
    FloatingSpec,
    ForwardingSpec,
    GatewaySpec,
    GroupSpec,
    InterfaceSpec,
    LocalSpec,
    LogSpec,
    Member,
    MeterRule,
    MeterSpec,
    NetworkSpec,
    NetworkType,
    PortSpec,
    RouterSpec,
    RuleSpec,
    SubnetSpec,
)
from cumulet.services.network.floating_ips.row import FloatingIpRow, ForwardingRow
from cumulet.services.network.ipam import network_of
from cumulet.services.network.metering.row import LabelRuleRow
from cumulet.services.network.networks.row import NetworkRow, SegmentRow
from cumulet.services.network.ports.addresses import given_of
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.qos.row import QosRuleRow
from cumulet.services.network.routers.legs import Leg
from cumulet.services.network.routers.row import NdpProxyRow, RouterRow
from cumulet.services.network.security_groups.log_row import LogRow
from cumulet.services.network.security_groups.row import RuleRow, SecurityGroupRow
from cumulet.services.network.subnets.row import SubnetRow


def network_spec(
    network: NetworkRow, segment: SegmentRow, subnets: Iterable[SubnetRow], dhcp_port: PortRow | None
) -> NetworkSpec:
    """A network on one of its segments, with the subnets there; DHCP answers on the addresses of its port, unless that
    is switched off."""
    if dhcp_port and not dhcp_port.admin_up:
        return without_dhcp(network_spec(network, segment, subnets, None))
    dhcp = {has.subnet_id: has.ip_address for has in given_of(dhcp_port.fixed_ips)} if dhcp_port else {}
    there = sorted((s for s in subnets if s.segment_id in ("", segment.id)), key=lambda subnet: subnet.id)
    return NetworkSpec(
        id=network.id,
        type=NetworkType(segment.network_type),
        segmentation_id=segment.number or 0,
        physical_network=segment.physical_network,
        mtu=network.mtu,
        subnets=tuple(_subnet_spec(subnet, dhcp.get(subnet.id, "")) for subnet in there),
        dhcp_mac=dhcp_port.mac if dhcp_port else "",
        dns_domain=network.dns_domain,
        external=network.external,
    )


def without_dhcp(network: NetworkSpec) -> NetworkSpec:
    """The network for a node that is not to answer its guests."""
    quiet = tuple(msgspec.structs.replace(subnet, dhcp=False, dhcp_address="") for subnet in network.subnets)
    return msgspec.structs.replace(network, subnets=quiet)


def _subnet_spec(subnet: SubnetRow, dhcp_address: str) -> SubnetSpec:
    return SubnetSpec(
        id=subnet.id,
        cidr=subnet.cidr,
        version=subnet.version,
        gateway=subnet.gateway,
        dhcp=subnet.dhcp,
        dhcp_address=dhcp_address,
        dns=tuple(msgspec.json.decode(subnet.dns)),
        routes=tuple((route["destination"], route["nexthop"]) for route in msgspec.json.decode(subnet.routes)),
        ra_mode=subnet.ra_mode,
        address_mode=subnet.address_mode,
    )


def port_spec(
    port: PortRow,
    tunnel: str,
    limits: Iterable[QosRuleRow],
    local: Iterable[tuple[str, str, bool]] = (),
    logs: Iterable[LogRow] = (),
    trunk_port: str = "",
    tag: int = 0,
) -> PortSpec:
    """A port for the node on which it lives."""
    rules = list(limits)
    rates = {(rule.type, rule.direction): rule.rate for rule in rules}
    bursts = {(rule.type, rule.direction): rule.burst for rule in rules}
    return PortSpec(
        id=port.id,
        network_id=port.network_id,
        mac=port.mac,
        host=port.host,
        tunnel_address=tunnel,
        device_id=port.device_id,
        device_owner=port.device_owner,
        addresses=tuple(Address(subnet_id=has.subnet_id, ip=has.ip_address) for has in given_of(port.fixed_ips)),
        hostname=port.dns_name,
        security=port.port_security,
        groups=tuple(msgspec.json.decode(port.groups)),
        allowed_pairs=tuple((p["mac_address"], p["ip_address"]) for p in msgspec.json.decode(port.pairs)),
        dhcp_options=tuple((o["opt_name"], o["opt_value"]) for o in msgspec.json.decode(port.dhcp_options)),
        up=port.admin_up,
        egress_kbps=rates.get(("bandwidth_limit", "egress"), 0),
        ingress_kbps=rates.get(("bandwidth_limit", "ingress"), 0),
        egress_least_kbps=rates.get(("minimum_bandwidth", "egress"), 0),
        egress_kpps=rates.get(("packet_rate_limit", "egress"), 0),
        ingress_kpps=rates.get(("packet_rate_limit", "ingress"), 0),
        egress_burst_kb=bursts.get(("bandwidth_limit", "egress"), 0),
        ingress_burst_kb=bursts.get(("bandwidth_limit", "ingress"), 0),
        egress_burst_kp=bursts.get(("packet_rate_limit", "egress"), 0),
        ingress_burst_kp=bursts.get(("packet_rate_limit", "ingress"), 0),
        dscp=rates.get(("dscp_marking", "")),
        trunk_port=trunk_port,
        tag=tag,
        local=tuple(LocalSpec(address=of, fixed=fixed, translated=translated) for of, fixed, translated in local),
        logs=tuple(LogSpec(id=log.id, project_id=log.project_id, event=log.event, group=log.group_id) for log in logs),
    )


def location_spec(port: PortRow, tunnel: str) -> PortSpec:
    """A port for the other nodes of its network: where its frames are to be sent."""
    return PortSpec(id=port.id, network_id=port.network_id, mac=port.mac, host=port.host, tunnel_address=tunnel)


def member_of(port: PortRow) -> Member:
    """A port for the nodes that hold its groups: what may come from it."""
    cidrs = {_cidr(has.ip_address) for has in given_of(port.fixed_ips)}
    cidrs |= {_cidr(pair["ip_address"]) for pair in msgspec.json.decode(port.pairs)}
    return Member(cidrs=tuple(sorted(cidrs)))


def group_spec(
    group: SecurityGroupRow,
    rules: Iterable[RuleRow],
    address_groups: Mapping[str, Sequence[str]],
) -> GroupSpec:
    """A group with its rules. A rule for an address group is a rule for each address."""
    specs = []
    for rule in sorted(rules, key=lambda rule: rule.id):
        remotes = [rule.remote_ip_prefix]
        if rule.remote_address_group_id:
            remotes = [
                cidr
                for cidr in address_groups.get(rule.remote_address_group_id, ())
                if network_of(cidr).version == _version(rule)
            ]
        for remote in remotes:
            id = rule.id if not rule.remote_address_group_id else str(uuid.uuid5(uuid.UUID(rule.id), remote))
            specs.append(_rule_spec(rule, id, remote))
    return GroupSpec(id=group.id, stateful=group.stateful, rules=tuple(specs))


def _version(rule: RuleRow) -> int:
    return 6 if rule.ethertype == "IPv6" else 4


def _rule_spec(rule: RuleRow, id: str, remote: str) -> RuleSpec:
    return RuleSpec(
        id=id,
        direction=rule.direction,
        version=_version(rule),
        protocol=rule.protocol,
        port_min=rule.port_min,
        port_max=rule.port_max,
        remote_cidr=str(network_of(remote)) if remote else "",
        remote_group=rule.remote_group_id,
    )


def _cidr(address: str) -> str:
    return str(network_of(address))


def router_spec(
    router: RouterRow,
    legs: Sequence[Leg],
    floating: Collection[FloatingIpRow],
    forwardings: Iterable[ForwardingRow],
    meters: Mapping[str, Sequence[LabelRuleRow]],
    proxies: Iterable[NdpProxyRow],
) -> RouterSpec:
    """A router with all that it translates."""
    ways = sorted((leg for leg in legs if leg.is_gateway), key=lambda leg: leg.port.id != router.gateway_port_id)
    gateway, further = (ways[0], ways[1:]) if ways else (None, [])
    outer = {row.id: row.address for row in floating}
    return RouterSpec(
        id=router.id,
        up=router.admin_up,
        interfaces=tuple(_interface(leg) for leg in legs if not leg.is_gateway),
        gateway=_interface(gateway) if gateway else None,
        next_hops=_next_hops(gateway) if gateway else (),
        further=_further(ways[:1], further, floating),
        spread=router.ecmp and bool(further),
        watched=router.bfd and bool(further),
        snat=router.snat,
        floating=tuple(
            FloatingSpec(id=row.id, floating=row.address, fixed=row.fixed)
            for row in sorted(floating, key=lambda row: row.id)
            if row.fixed
        ),
        forwardings=tuple(
            ForwardingSpec(
                id=row.id,
                floating=outer[row.floating_ip_id],
                protocol=row.protocol,
                external_port=row.external_port,
                fixed=row.internal_ip,
                internal_port=row.internal_port,
                more=row.external_last - row.external_port,
                together=row.internal_last == row.internal_port,
            )
            for row in sorted(forwardings, key=lambda row: row.id)
        ),
        routes=tuple((route["destination"], route["nexthop"]) for route in msgspec.json.decode(router.routes)),
        helpers=tuple((h["helper"], h["protocol"], h["port"]) for h in msgspec.json.decode(router.helpers)),
        meters=tuple(
            MeterSpec(id=label, rules=tuple(_meter_rule(rule) for rule in rules))
            for label, rules in sorted(meters.items())
        ),
        proxied=tuple(sorted({row.ip for row in proxies})) if router.ndp_proxy and gateway else None,
    )


def _further(before: Sequence[Leg], ways: Sequence[Leg], floating: Iterable[FloatingIpRow]) -> tuple[GatewaySpec, ...]:
    """Gateways besides the first. A floating address is that of the first one in its network."""
    served = {leg.port.network_id for leg in before}
    found = []
    for way in ways:
        network = way.port.network_id
        mine = sorted(row.address for row in floating if row.network_id == network and network not in served)
        found.append(GatewaySpec(leg=_interface(way), next_hops=_next_hops(way), floating=tuple(mine)))
        served.add(network)
    return tuple(found)


def _next_hops(way: Leg) -> tuple[str, ...]:
    return tuple(subnet.gateway for subnet in way.subnets if subnet.gateway)


def _meter_rule(rule: LabelRuleRow) -> MeterRule:
    """The inner prefix is where traffic comes from on its way out, and where it goes to on its way in."""
    inward = rule.direction == "ingress"
    source = rule.source or ("" if inward else rule.remote)
    destination = rule.destination or (rule.remote if inward else "")
    return MeterRule(
        direction=rule.direction,
        source=_cidr(source) if source else "",
        destination=_cidr(destination) if destination else "",
        excluded=rule.excluded,
    )


def _interface(leg: Leg) -> InterfaceSpec:
    lengths = {subnet.id: network_of(subnet.cidr).prefixlen for subnet in leg.subnets}
    return InterfaceSpec(
        port_id=leg.port.id,
        network_id=leg.port.network_id,
        mac=leg.port.mac,
        addresses=tuple(f"{has.ip_address}/{lengths[has.subnet_id]}" for has in leg.addresses),
    )
