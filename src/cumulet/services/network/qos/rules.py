"""The rules of a policy: limits, guarantees and marks. Also by their own id, without the policy's."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Text
from cumulet.lib.ids import new_uuid
from cumulet.services.network import rbac
from cumulet.services.network.errors import NotAuthorized
from cumulet.services.network.facets import Facet
from cumulet.services.network.noun import Noun
from cumulet.services.network.qos.conflicts import refuse_conflict, refuse_held, taken
from cumulet.services.network.qos.errors import QosPolicyNotFound, QosRuleNotFound
from cumulet.services.network.qos.kinds import KINDS, Kind
from cumulet.services.network.qos.policies import policies, show_rules
from cumulet.services.network.qos.row import PolicyRow, QosRuleRow
from cumulet.services.network.room import Network

IDENTITY = Facet(fields=(Field("id", Text()),))


def _noun(kind: Kind, path: str, *, alone: bool) -> Noun:
    """The rules of a kind: below their policy, or alone under their alias."""
    rule = f"{kind.name}_rule"
    facets = [IDENTITY, *kind.facets]
    facets += [Facet(kind.alone, "Rules by their own id")] if alone else []
    return Noun(
        path,
        f"alias_{rule}" if alone else rule,
        f"alias_{rule}s" if alone else f"{rule}s",
        QosRuleRow,
        facets,
        missing=QosRuleNotFound,
        owner="project_id" if alone else "",
        rule=f"alias_{rule}" if alone else f"policy_{rule}",
        key="rule_id",
        aspects=(lambda call, row: {"ext_parent:project_id": row.project_id}) if alone else None,
        parent=None if alone else policies,
        parent_column="" if alone else "policy_id",
        hidden=QosRuleRow.c.type == sa.literal_column(f"'{kind.name}'"),
    )


def _declare(kind: Kind, noun: Noun) -> None:
    async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> QosRuleRow:
        policy: PolicyRow = call.parent
        _refuse_foreign(call, policy)
        row = QosRuleRow(
            id=new_uuid(),
            project_id=policy.project_id,
            policy_id=policy.id,
            type=kind.name,
            direction=wish.get("direction", ""),
            rate=wish[kind.rate],
            burst=wish.get(kind.burst, 0),
        )
        await refuse_conflict(tx, row)
        await refuse_held(tx, row)
        try:
            await tx.insert(row)
        except Duplicate as race:
            raise taken(row) from race
        await show_rules(room, tx, policy)
        return row

    async def update(room: Network, call: Call, tx: Transaction, row: QosRuleRow, wish: dict[str, Any]) -> QosRuleRow:
        policy = await _policy_of(tx, row)
        try:
            changed: QosRuleRow = await noun.save(
                room, tx, row, **{noun.columns[name]: value for name, value in wish.items()}
            )
        except Duplicate as race:
            raise taken(row) from race
        if changed is row:
            return row
        await refuse_conflict(tx, changed)
        await refuse_held(tx, row)
        await show_rules(room, tx, policy)
        return changed

    async def delete(room: Network, call: Call, tx: Transaction, row: QosRuleRow) -> None:
        policy = await _policy_of(tx, row)
        await refuse_held(tx, row)
        await tx.delete(QosRuleRow, id=row.id)
        await show_rules(room, tx, policy)

    if noun.of:
        noun.reads()
        noun.creating(create)
    else:
        noun.shows()
    noun.updating(update)
    noun.deleting(delete)


def _refuse_foreign(call: Call, policy: PolicyRow) -> None:
    if policy.project_id != call.caller.project_id and not rbac.sees_all(call):
        raise NotAuthorized(f"QoS policy {policy.id} belongs to another project.", type_name="PolicyNotAuthorized")


async def _policy_of(tx: Transaction, row: QosRuleRow) -> PolicyRow:
    policy = await tx.get(PolicyRow, id=row.policy_id)
    if policy is None:
        raise QosPolicyNotFound(f"QoS policy {row.policy_id} could not be found.")
    return policy


def _all() -> list[Noun]:
    found = []
    for kind in KINDS.values():
        words = f"{kind.name}_rules"
        paths = [(f"{root}/{{policy_id}}/{words.replace('_', between)}", False) for root, between in kind.roots]
        if kind.alone:
            paths.append((f"/qos/alias-{words.replace('_', '-')}", True))
        for path, alone in paths:
            noun = _noun(kind, path, alone=alone)
            _declare(kind, noun)
            found.append(noun)
    return found


RULES = tuple(_all())
TYPES = Facet("qos-rule-type-details", "Details of types of rules")


async def _list_types(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_rule_type")
    return {"rule_types": [{"type": kind} for kind in KINDS]}


async def _show_type(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_rule_type")
    # What drivers there are is the operator's business.
    call.allow("context_is_admin")
    kind = KINDS.get(call.path["type"])
    if kind is None:
        raise QosRuleNotFound(f"QoS rule type {call.path['type'][:60]} could not be found.")
    return {"rule_type": {"type": kind.name, "drivers": [{"name": "linux", "supported_parameters": kind.parameters}]}}


def endpoints() -> list[Endpoint]:
    return [
        Endpoint("GET", "/qos/rule-types", _list_types, name="list_rule_types"),
        Endpoint("GET", "/qos/rule-types/{type}", _show_type, name="show_rule_type"),
    ]
