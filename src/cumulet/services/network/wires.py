"""Types of values that several nouns of this service take."""

from __future__ import annotations

import ipaddress
import re

from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.wire import Cidr, Int, Ip, ListOf, Obj, Text, Uuid

_LABEL = re.compile(r"(?!-)[a-zA-Z0-9-]{1,63}(?<!-)\Z")


def _dns_name(value: str) -> str:
    if value and not all(_LABEL.match(label) for label in value.removesuffix(".").split(".")):
        raise ValueError(f"'{value[:80]}' is not a valid DNS name: labels hold letters, digits and hyphens")
    return value


def _ip_version(value: int) -> int:
    if value not in (4, 6):
        raise ValueError(f"'{value}' is not in [4, 6]")
    return value


def _ip_or_cidr(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise ValueError(f"'{value[:64]}' is neither an IP address nor a subnet") from error
    return value


def _port_range(value: str) -> str:
    parts = value.split(":")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 65535 for part in parts):
        raise ValueError(f"'{value[:20]}' is not a range of ports: two of 1 to 65535 with a colon between them")
    if int(parts[0]) > int(parts[-1]):
        raise ValueError(f"'{value[:20]}' ends before it begins")
    return value


IpVersion = Int(4, 6).also(_ip_version)
PortRange = Text(11).also(_port_range)
DnsName = Text(255).also(_dns_name)
IpOrCidr = Text(64, 1).also(_ip_or_cidr)
Routes = ListOf(
    Obj(Field("destination", Cidr, create=REQUIRED), Field("nexthop", Ip, create=REQUIRED)), most=64, unique=True
)
Pools = ListOf(Obj(Field("start", Ip, create=REQUIRED), Field("end", Ip, create=REQUIRED)), most=64)
FixedIps = ListOf(
    Obj(Field("subnet_id", Uuid.or_null(), create=OPTIONAL), Field("ip_address", Ip.or_null(), create=OPTIONAL)),
    most=64,
)
