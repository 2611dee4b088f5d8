"""The noun `security_group_rule`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause
from cumulet.core.web.wire import Bool, Text, Uuid
from cumulet.services.network import rbac
from cumulet.services.network.address_groups import AddressGroupNotFound, AddressGroupRow
from cumulet.services.network.facets import Facet, OrNull
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.security_groups import rule_rows
from cumulet.services.network.security_groups.errors import (
    SecurityGroupNotFound,
    SecurityGroupRuleExists,
    SecurityGroupRuleNotFound,
)
from cumulet.services.network.security_groups.row import RuleRow, SecurityGroupRow
from cumulet.services.network.security_groups.said import RULE_FIELDS, GroupId, said_of
from cumulet.services.network.standard import DESCRIBED, OWNED, REVISED, STAMPED


@cache
def _visible() -> Clause:
    return sa.or_(
        RuleRow.c.project_id == rbac.caller_project(), RuleRow.c.group_id.in_(rbac.shared_ids("security_group"))
    )


async def _around(tx: Transaction, wish: dict[str, Any]) -> Mapping[str, object]:
    group = await tx.get(SecurityGroupRow, id=wish["security_group_id"])
    if group is None:
        raise SecurityGroupNotFound(f"Security group {wish['security_group_id']} does not exist")
    return {"security_group:project_id": group.project_id, "security_group:tenant_id": group.project_id}


security_group_rules = Noun(
    "/security-group-rules",
    "security_group_rule",
    "security_group_rules",
    RuleRow,
    [
        OWNED,
        DESCRIBED,
        STAMPED,
        REVISED,
        Facet(
            "security-group",
            "Security groups",
            (
                Field("security_group_id", GroupId, create=REQUIRED, source="group_id"),
                *RULE_FIELDS,
                Field("remote_group_id", GroupId.or_null(), create=OPTIONAL, source=OrNull("remote_group_id")),
            ),
        ),
        Facet(
            "security-groups-remote-address-group",
            "Rules for the addresses of a group",
            (
                Field(
                    "remote_address_group_id",
                    Uuid.or_null(),
                    create=OPTIONAL,
                    source=OrNull("remote_address_group_id"),
                ),
            ),
        ),
        Facet(
            "security-groups-normalized-cidr",
            "Prefixes without surplus bits",
            (
                Field(
                    "normalized_cidr",
                    Text(),
                    source=lambda row, call: rule_rows.normalized(row.remote_ip_prefix),
                ),
            ),
        ),
        Facet(
            "security-groups-rules-belongs-to-default-sg",
            "Rules of default groups",
            (Field("belongs_to_default_sg", Bool, source="of_default"),),
        ),
    ],
    missing=SecurityGroupRuleNotFound,
    quota="security_group_rule",
    sees=lambda call: None if rbac.sees_all(call) else _visible(),
    aspects=lambda call, row: {
        "security_group:project_id": row.project_id if row.project_id == call.caller.project_id else None
    },
    surroundings=_around,
)
security_group_rules.reads()


@security_group_rules.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> RuleRow:
    group = await tx.get(SecurityGroupRow, id=wish["security_group_id"])
    if group is None or (group.project_id != call.caller.project_id and not rbac.sees_all(call)):
        raise SecurityGroupNotFound(f"Security group {wish['security_group_id']} does not exist")
    said = said_of(wish)
    await _refuse_unknown_remotes(tx, call, said)
    row = rule_rows.new_rule(room, group, said)
    before = await tx.get(RuleRow, fingerprint=row.fingerprint)
    if before:
        raise _exists(before.id)
    try:
        await tx.insert(row)
    except Duplicate as race:
        raise _exists(row.id) from race
    await rule_rows.show_in_group(room, tx, group.id)
    return row


def _exists(id: str) -> SecurityGroupRuleExists:
    return SecurityGroupRuleExists(f"Security group rule already exists. Rule id is {id}.")


async def _refuse_unknown_remotes(tx: Transaction, call: Call, said: Mapping[str, Any]) -> None:
    remote = said["remote_group_id"]
    if remote:
        found = await tx.get(SecurityGroupRow, id=remote)
        if found is None or not _usable(call, found.project_id, found.shared_with):
            raise SecurityGroupNotFound(f"Security group {remote} does not exist")
    addresses = said["remote_address_group_id"]
    if addresses:
        kept = await tx.get(AddressGroupRow, id=addresses)
        if kept is None or not _usable(call, kept.project_id, kept.shared_with):
            raise AddressGroupNotFound(f"Address group {addresses} could not be found.")


def _usable(call: Call, project_id: str, shared: str) -> bool:
    caller = call.caller.project_id
    return project_id == caller or rbac.shared_with(shared, caller) or rbac.sees_all(call)


@security_group_rules.updating
async def update(room: Network, call: Call, tx: Transaction, row: RuleRow, wish: dict[str, Any]) -> RuleRow:
    changed: RuleRow = await security_group_rules.save(room, tx, row, **wish)
    await rule_rows.show_in_group(room, tx, row.group_id)
    return changed


@security_group_rules.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: RuleRow) -> None:
    await tx.delete(RuleRow, id=row.id)
    await room.quota.give_back(tx, row.project_id, security_group_rule=1)
    await rule_rows.show_in_group(room, tx, row.group_id)
