"""Filters of ports that look beyond their own columns: by address and by group."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from cumulet.core.web.listing import Clause
from cumulet.services.network.ports.row import PortGroupRow, PortRow
from cumulet.services.network.subnets.row import AddressRow

_ESCAPE = "/"
"""Before what would stand for any other letters."""


def address_filter(values: list[str]) -> tuple[str, Clause, Mapping[str, Any]]:
    """`fixed_ips=ip_address=10.0.0.5`, also of a subnet, also a part of an address; all must hold for one port."""
    bound: dict[str, Any] = {}
    kinds: dict[str, list[str]] = {}
    for value in values:
        name, _, wanted = value.partition("=")
        if name not in ("subnet_id", "ip_address", "ip_address_substr") or not wanted:
            raise ValueError(f"{value[:60]!r} is not subnet_id=…, ip_address=… or ip_address_substr=…")
        kinds.setdefault(name, []).append(_plain_ip(wanted) if name == "ip_address" else wanted)
    c = AddressRow.c
    found = sa.select(c.port_id)
    for name, wanteds in kinds.items():
        if name == "ip_address_substr":
            found = found.where(c.ip.contains(sa.bindparam("fixed_part"), escape=_ESCAPE))
            bound["fixed_part"] = re.sub(r"[/%_]", rf"{_ESCAPE}\g<0>", wanteds[-1])
        else:
            column = c.subnet_id if name == "subnet_id" else c.ip
            found = found.where(column.in_(sa.bindparam(f"fixed_{name}", expanding=True)))
            bound[f"fixed_{name}"] = wanteds
    return " ".join(["fixed_ips", *sorted(kinds)]), PortRow.c.id.in_(found), bound


def _plain_ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def groups_filter(values: list[str]) -> tuple[str, Clause, Mapping[str, Any]]:
    c = PortGroupRow.c
    found = sa.select(c.port_id).where(c.group_id.in_(sa.bindparam("of_groups", expanding=True)))
    return "security_groups", PortRow.c.id.in_(found), {"of_groups": values}
