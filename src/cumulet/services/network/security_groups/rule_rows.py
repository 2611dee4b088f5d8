"""Rules as rows and as texts: the ones a new group gets, how each is shown, what makes two of them the same."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Id, LongText, Row, Short, Transaction, stored
from cumulet.core.errors import NotFound
from cumulet.lib.clock import iso_seconds
from cumulet.lib.ids import new_uuid
from cumulet.services.network.room import Network
from cumulet.services.network.security_groups.row import RuleRow, SecurityGroupRow
from cumulet.services.network.stirring import stir

Port = Annotated[int, sa.Integer] | None
Fingerprint = Annotated[str, sa.String(64)] | None
PARENT = "PARENT"
"""As the remote group of a template: the group that the rule is made for."""


@stored(
    "network_default_rules",
    sa.Index("network_default_rules_in_default", "once_in_default", unique=True),
    sa.Index("network_default_rules_in_others", "once_in_others", unique=True),
)
class DefaultRuleRow(Row):
    """A rule that new groups get: every group, or the projects' default groups, or both."""

    id: Id
    direction: Short
    ethertype: Short
    protocol: Short
    port_min: Port
    port_max: Port
    remote_ip_prefix: Short
    remote_group_id: Short
    remote_address_group_id: Short
    description: LongText
    in_default: bool
    in_others: bool
    once_in_default: Fingerprint
    """The same for rules that say the same to default groups; null for one that says nothing to them."""
    once_in_others: Fingerprint


@stored("network_templates")
class TemplateMarkRow(Row):
    """Says that the built-in templates were written, so that deleted ones stay deleted."""

    id: Id


def _template(direction: str, ethertype: str, remote: str, *, others: bool) -> DefaultRuleRow:
    said = {
        "direction": direction,
        "ethertype": ethertype,
        "protocol": "",
        "port_min": None,
        "port_max": None,
        "remote_ip_prefix": "",
        "remote_group_id": remote,
        "remote_address_group_id": "",
        "description": f"Legacy default SG rule for {direction} traffic",
    }
    return template_of(said, in_default=True, in_others=others)


def template_of(said: Mapping[str, Any], *, in_default: bool, in_others: bool) -> DefaultRuleRow:
    """A rule for new groups of one kind, or of both."""
    once = fingerprint(said, "template")
    return DefaultRuleRow(
        id=new_uuid(),
        **said,
        in_default=in_default,
        in_others=in_others,
        once_in_default=once if in_default else None,
        once_in_others=once if in_others else None,
    )


async def templates(tx: Transaction) -> list[DefaultRuleRow]:
    """What new groups get; the built-in rules until an administrator changed them."""
    found = await tx.find(DefaultRuleRow, order_by="id")
    if found or await tx.get(TemplateMarkRow, id="written"):
        return found
    return builtin_templates()


def builtin_templates() -> list[DefaultRuleRow]:
    """Everything may go out; into a default group may come what its own members send."""
    return [
        _template("egress", "IPv4", "", others=True),
        _template("egress", "IPv6", "", others=True),
        _template("ingress", "IPv4", PARENT, others=False),
        _template("ingress", "IPv6", PARENT, others=False),
    ]


async def first_rules(room: Network, tx: Transaction, group: SecurityGroupRow) -> list[RuleRow]:
    """The rules of a new group."""
    chosen = [t for t in await templates(tx) if (t.in_default if group.default_of else t.in_others)]
    return [
        new_rule(
            room,
            group,
            {
                "direction": t.direction,
                "ethertype": t.ethertype,
                "protocol": t.protocol,
                "port_min": t.port_min,
                "port_max": t.port_max,
                "remote_ip_prefix": t.remote_ip_prefix,
                "remote_group_id": group.id if t.remote_group_id == PARENT else t.remote_group_id,
                "remote_address_group_id": t.remote_address_group_id,
                "description": t.description[:255],
            },
        )
        for t in chosen
    ]


def new_rule(room: Network, group: SecurityGroupRow, said: Mapping[str, Any]) -> RuleRow:
    now = room.clock.now()
    return RuleRow(
        id=new_uuid(),
        project_id=group.project_id,
        group_id=group.id,
        of_default=bool(group.default_of),
        direction=said["direction"],
        ethertype=said["ethertype"],
        protocol=said["protocol"],
        port_min=said["port_min"],
        port_max=said["port_max"],
        remote_ip_prefix=said["remote_ip_prefix"],
        remote_group_id=said["remote_group_id"],
        remote_address_group_id=said["remote_address_group_id"],
        description=said["description"],
        fingerprint=fingerprint(said, group.id),
        created_at=now,
        updated_at=now,
        revision=1,
    )


def fingerprint(said: Mapping[str, Any], group_id: str) -> str:
    """The same for rules that say the same of the same group."""
    everything = {"0.0.0.0/0": "", "::/0": ""}
    parts = (
        group_id,
        said["direction"],
        said["ethertype"],
        said["protocol"],
        str(said["port_min"]),
        str(said["port_max"]),
        everything.get(said["remote_ip_prefix"], said["remote_ip_prefix"]),
        said["remote_group_id"],
        said["remote_address_group_id"],
    )
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:40]


def shown(row: RuleRow) -> dict[str, Any]:
    """A rule as its group shows it."""
    return {
        "id": row.id,
        "project_id": row.project_id,
        "tenant_id": row.project_id,
        "security_group_id": row.group_id,
        "direction": row.direction,
        "ethertype": row.ethertype,
        "protocol": row.protocol or None,
        "port_range_min": row.port_min,
        "port_range_max": row.port_max,
        "remote_ip_prefix": row.remote_ip_prefix or None,
        "normalized_cidr": normalized(row.remote_ip_prefix),
        "remote_group_id": row.remote_group_id or None,
        "remote_address_group_id": row.remote_address_group_id or None,
        "description": row.description,
        "created_at": iso_seconds(row.created_at),
        "updated_at": iso_seconds(row.updated_at),
        "revision_number": row.revision,
        "tags": [],
    }


def normalized(prefix: str) -> str | None:
    """A prefix without bits beyond its length."""
    return str(ipaddress.ip_network(prefix, strict=False)) if prefix else None


def text_of(rules: Sequence[RuleRow]) -> str:
    return msgspec.json.encode([shown(rule) for rule in rules]).decode()


async def show_in_group(room: Network, tx: Transaction, group_id: str) -> None:
    """Bring a group's text in line with its rules; nodes are told."""
    group = await tx.get(SecurityGroupRow, id=group_id)
    if group is None:
        raise NotFound(f"Security group {group_id} does not exist")
    rules = await tx.find(RuleRow, group_id=group_id, order_by="created_at")
    values = {"rules": text_of(rules), "revision": group.revision + 1, "updated_at": room.clock.now()}
    await tx.update(SecurityGroupRow, {"id": group_id}, **values)
    await stir(tx, SecurityGroupRow, "group", [group_id, *(rule.remote_group_id for rule in rules)])
