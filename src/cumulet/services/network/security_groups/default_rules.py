"""The noun `default_security_group_rule`: the rules that new groups get."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Enum, Text
from cumulet.lib.ids import is_uuid
from cumulet.services.network.facets import Facet, OrNull
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.security_groups.errors import DefaultSecurityGroupRuleNotFound, SecurityGroupRuleExists
from cumulet.services.network.security_groups.rule_rows import (
    PARENT,
    DefaultRuleRow,
    TemplateMarkRow,
    builtin_templates,
    template_of,
)
from cumulet.services.network.security_groups.said import RULE_FIELDS, said_of
from cumulet.services.network.standard import LongName


def _remote(value: str) -> str:
    if value != PARENT and not is_uuid(value):
        raise ValueError(f"'{value[:60]}' is neither a UUID nor {PARENT}")
    return value


default_rules = Noun(
    "/default-security-group-rules",
    "default_security_group_rule",
    "default_security_group_rules",
    DefaultRuleRow,
    [
        Facet(
            "security-groups-default-rules",
            "Rules of new groups",
            (
                Field("id", Text()),
                Field("direction", Enum("ingress", "egress"), create="ingress"),
                *RULE_FIELDS[1:],
                Field(
                    "remote_group_id",
                    Text(64).also(_remote).or_null(),
                    create=OPTIONAL,
                    source=OrNull("remote_group_id"),
                ),
                Field(
                    "remote_address_group_id",
                    Text(64).or_null(),
                    create=OPTIONAL,
                    source=OrNull("remote_address_group_id"),
                ),
                Field("description", LongName, create=""),
                Field("used_in_default_sg", Bool, create=False, source="in_default"),
                Field("used_in_non_default_sg", Bool, create=True, source="in_others"),
                Field("project_id", Text(255), create=OPTIONAL, source=""),
            ),
        )
    ],
    missing=DefaultSecurityGroupRuleNotFound,
    owner="",
)


async def write_builtin(tx: Transaction) -> None:
    """Store the built-in rules, once, so that they have ids by which they can be deleted."""
    if not await tx.get(TemplateMarkRow, id="written"):
        await tx.insert_all(builtin_templates())
        await tx.insert(TemplateMarkRow("written"))


async def _list(room: Network, call: Call) -> Any:
    async with room.database.read() as tx:
        written = await tx.get(TemplateMarkRow, id="written")
    if written is None:
        await room.database.write(write_builtin)
    return await default_rules.listed(room, call)


default_rules.reads(_list)


@default_rules.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> DefaultRuleRow:
    await write_builtin(tx)
    row = template_of(said_of(wish), in_default=wish["used_in_default_sg"], in_others=wish["used_in_non_default_sg"])
    for column in ("once_in_default", "once_in_others"):
        once = getattr(row, column)
        before = await tx.get(DefaultRuleRow, **{column: once}) if once else None
        if before:
            raise _exists(before.id)
    try:
        await tx.insert(row)
    except Duplicate as race:
        raise _exists(row.id) from race
    return row


def _exists(id: str) -> SecurityGroupRuleExists:
    return SecurityGroupRuleExists(
        f"Default Security group rule already exists. Rule id is {id}.", type_name="DefaultSecurityGroupRuleExists"
    )


@default_rules.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: DefaultRuleRow) -> None:
    """Nothing hangs on it: groups that exist keep their rules."""
