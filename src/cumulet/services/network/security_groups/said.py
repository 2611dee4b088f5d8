"""What a rule may say: the types of its attributes, and which of them mean something together."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.wire import Enum, Int, OneOf, StrictInt, Text
from cumulet.lib.numbers import whole
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import OrNull
from cumulet.services.network.security_groups.errors import SecurityGroupInvalidPortRange

PROTOCOLS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
WITH_PORTS = {"tcp", "udp", "sctp", "dccp", "udplite", "6", "17", "132", "33", "136"}
ICMP = {"icmp", "icmpv6", "ipv6-icmp", "1", "58"}
_V6_NAMES = {"icmpv6", "ipv6-icmp", "ipv6-encap", "ipv6-frag", "ipv6-nonxt", "ipv6-opts", "ipv6-route"}
ONLY_V6 = {*_V6_NAMES, *(str(PROTOCOLS[name]) for name in _V6_NAMES)}


def _protocol(value: Any) -> str:
    """A protocol's name or number, as text; empty for any."""
    text = str(value).lower()
    if text in ("any", ""):
        return ""
    if text in PROTOCOLS:
        return text
    with suppress(ValueError):
        if whole(text) <= 255:
            return str(whole(text))
    raise ValueError(f"'{text[:40]}' is not a protocol: use a name such as tcp, or a number from 0 to 255")


def _port(value: int) -> int:
    if not -1 <= value <= 65535:
        raise ValueError(f"Invalid value for port {value}: ports are 1 to 65535")
    return value


def _prefix(value: str) -> str:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise ValueError(f"'{value[:64]}' is not a valid IP subnet") from error
    return value if "/" in value else str(network)


Protocol = OneOf(Text(40), StrictInt(0, 255)).also(_protocol).or_null()
PortNumber = Int().also(_port).or_null()
GroupId = Text(36)
"""Not only UUIDs: a group of any other name is simply not there."""
Prefix = Text(64, 1).also(_prefix).or_null()

RULE_FIELDS = (
    Field("direction", Enum("ingress", "egress"), create=REQUIRED),
    Field("ethertype", Enum("IPv4", "IPv6", ignore_case=True), create="IPv4"),
    Field("protocol", Protocol, create=OPTIONAL, source=OrNull("protocol")),
    Field("port_range_min", PortNumber, create=OPTIONAL, source="port_min"),
    Field("port_range_max", PortNumber, create=OPTIONAL, source="port_max"),
    Field("remote_ip_prefix", Prefix, create=OPTIONAL, source=OrNull("remote_ip_prefix")),
)


def said_of(wish: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule says, checked as a whole. Raises for combinations that mean nothing."""
    said = {
        "direction": wish["direction"],
        "ethertype": wish["ethertype"],
        "protocol": wish.get("protocol") or "",
        "port_min": wish.get("port_range_min"),
        "port_max": wish.get("port_range_max"),
        "remote_ip_prefix": wish.get("remote_ip_prefix") or "",
        "remote_group_id": wish.get("remote_group_id") or "",
        "remote_address_group_id": wish.get("remote_address_group_id") or "",
        "description": wish.get("description", ""),
    }
    if sum(bool(said[name]) for name in ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")) > 1:
        raise InvalidInput(
            "Only remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
            type_name="SecurityGroupMultipleRemotesCannotBeSpecified",
        )
    version = 4 if said["ethertype"] == "IPv4" else 6
    prefix = said["remote_ip_prefix"]
    if prefix and ipaddress.ip_network(prefix, strict=False).version != version:
        raise InvalidInput(
            f"Conflicting value ethertype {said['ethertype']} for CIDR {prefix}",
            type_name="SecurityGroupRuleParameterConflict",
        )
    if said["protocol"] in ONLY_V6 and version == 4:
        raise InvalidInput(
            f"Invalid ethertype {said['ethertype']} for protocol {said['protocol']}.",
            type_name="SecurityGroupEthertypeConflictWithProtocol",
        )
    _refuse_odd_ports(said["protocol"], said["port_min"], said["port_max"])
    if said["protocol"] in WITH_PORTS and said["port_min"] == -1:
        said["port_min"] = said["port_max"] = None
    return said


def _refuse_odd_ports(protocol: str, low: int | None, high: int | None) -> None:
    if low is None and high is None:
        return
    if protocol in ICMP:
        for kind, name, value in (("type", "port_range_min", low), ("code", "port_range_max", high)):
            if value is not None and not 0 <= value <= 255:
                raise InvalidInput(
                    f"Invalid value for ICMP {kind} ({name}): {value}. It must be 0 to 255.",
                    type_name="SecurityGroupInvalidIcmpValue",
                )
        if low is None:
            raise InvalidInput(
                f"ICMP code (port-range-max) {high} is provided but ICMP type (port-range-min) is missing.",
                type_name="SecurityGroupMissingIcmpType",
            )
        return
    if not protocol and not (low == high == -1):
        raise InvalidInput(
            "Must also specify protocol if port range is given.", type_name="SecurityGroupProtocolRequiredWithPorts"
        )
    if protocol and protocol not in WITH_PORTS:
        raise InvalidInput(
            f"Port range cannot be specified for protocol {protocol}. Port range is only supported for TCP, UDP, "
            "UDPLITE, SCTP and DCCP.",
            type_name="SecurityGroupInvalidProtocolForPort",
        )
    if low is None or high is None or low > high or (low < 1 and low != high):
        raise SecurityGroupInvalidPortRange("For TCP/UDP protocols, port_range_min must be <= port_range_max")
    if low == 0:
        raise SecurityGroupInvalidPortRange("Invalid port value 0: ports are 1 to 65535.")
