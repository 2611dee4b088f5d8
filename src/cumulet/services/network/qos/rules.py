"""The rules of a policy: limits of bandwidth, and DSCP marks. Also by their own id, without the policy's."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Enum, Int, Text
from cumulet.lib.ids import new_uuid
from cumulet.services.network import errors, rbac
from cumulet.services.network.facets import Facet
from cumulet.services.network.noun import Noun
from cumulet.services.network.qos.policies import policies, show_rules
from cumulet.services.network.qos.row import PolicyRow, QosRuleRow
from cumulet.services.network.room import Network

BANDWIDTH, DSCP, PACKETS = "bandwidth_limit", "dscp_marking", "packet_rate_limit"
MARKS = (0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56)
MOST = 2**31 - 1


def _mark(value: int) -> int:
    if value not in MARKS:
        raise ValueError(f"'{value}' is not in {list(MARKS)}")
    return value


FIELDS: dict[str, tuple[Field, ...]] = {
    BANDWIDTH: (
        Field("max_kbps", Int(0, MOST), create=REQUIRED, update=OPTIONAL, source="rate"),
        Field("max_burst_kbps", Int(0, MOST), create=0, update=OPTIONAL, source="burst"),
    ),
    PACKETS: (
        Field("max_kpps", Int(0, MOST), create=REQUIRED, update=OPTIONAL, source="rate"),
        Field("max_burst_kpps", Int(0, MOST), create=0, update=OPTIONAL, source="burst"),
    ),
    DSCP: (Field("dscp_mark", Int(0, 56).also(_mark), create=REQUIRED, update=OPTIONAL, source="rate"),),
}
DIRECTION = Field("direction", Enum("ingress", "egress"), create="egress", update=OPTIONAL)
FACETS = {
    BANDWIDTH: Facet("qos-bw-limit-direction", "Limits for both directions", (DIRECTION,)),
    PACKETS: Facet("qos-pps", "Limits of packets", (DIRECTION,)),
}
IDENTITY = Facet(fields=(Field("id", Text()),))


def _noun(kind: str, *, alone: bool, root: str = "/qos/policies") -> Noun:
    """The rules of a kind: below their policy, or alone under their alias."""
    facets = [IDENTITY, Facet("qos", "Quality of service", FIELDS[kind])]
    facets += [FACETS[kind]] if kind in FACETS else []
    facets += [Facet("qos-rules-alias", "Rules by their own id")] if alone else []
    rule = f"{kind}_rule"
    return Noun(
        f"/qos/alias-{rule.replace('_', '-')}s" if alone else f"{root}/{{policy_id}}/{rule}s",
        f"alias_{rule}" if alone else rule,
        f"alias_{rule}s" if alone else f"{rule}s",
        QosRuleRow,
        facets,
        missing=errors.QosRuleNotFound,
        owner="project_id" if alone else "",
        rule=f"alias_{rule}" if alone else f"policy_{rule}",
        key="rule_id",
        aspects=(lambda call, row: {"ext_parent:project_id": row.project_id}) if alone else None,
        parent=None if alone else policies,
        parent_column="" if alone else "policy_id",
        hidden=QosRuleRow.c.type == sa.literal_column(f"'{kind}'"),
    )


def _declare(kind: str, noun: Noun) -> None:
    async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> QosRuleRow:
        policy: PolicyRow = call.parent
        _refuse_foreign(call, policy)
        row = QosRuleRow(
            id=new_uuid(),
            project_id=policy.project_id,
            policy_id=policy.id,
            type=kind,
            direction=wish.get("direction", ""),
            rate=next(wish[field.name] for field in FIELDS[kind] if field.source == "rate"),
            burst=next((wish[field.name] for field in FIELDS[kind] if field.source == "burst"), 0),
        )
        same = {"policy_id": policy.id, "type": kind, "direction": row.direction}
        if await tx.get(QosRuleRow, **same):
            raise _conflict(kind, policy.id)
        try:
            await tx.insert(row)
        except Duplicate as race:
            raise _conflict(kind, policy.id) from race
        await show_rules(room, tx, policy)
        return row

    async def update(room: Network, call: Call, tx: Transaction, row: QosRuleRow, wish: dict[str, Any]) -> QosRuleRow:
        policy = await _policy_of(tx, row)
        try:
            changed = await noun.save(room, tx, row, **{noun.columns[name]: value for name, value in wish.items()})
        except Duplicate as taken:
            raise _conflict(kind, row.policy_id) from taken
        await show_rules(room, tx, policy)
        return changed  # type: ignore[no-any-return]

    async def delete(room: Network, call: Call, tx: Transaction, row: QosRuleRow) -> None:
        policy = await _policy_of(tx, row)
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
        raise errors.NotAuthorized(
            f"QoS policy {policy.id} belongs to another project.", type_name="PolicyNotAuthorized"
        )


async def _policy_of(tx: Transaction, row: QosRuleRow) -> PolicyRow:
    policy = await tx.get(PolicyRow, id=row.policy_id)
    if policy is None:
        raise errors.QosPolicyNotFound(f"QoS policy {row.policy_id} could not be found.")
    return policy


def _conflict(kind: str, policy_id: str) -> errors.QosPolicyInUse:
    return errors.QosPolicyInUse(
        f"Rule {kind} conflicts with another rule of QoS Policy {policy_id}.", type_name="QoSRuleParameterConflict"
    )


_BY_KIND: tuple[tuple[str, Noun], ...] = (
    *((kind, _noun(kind, alone=alone)) for kind in (BANDWIDTH, DSCP) for alone in (False, True)),
    # Clients look for these below the policies, the real service has them where it has the policies' tags.
    *((PACKETS, _noun(PACKETS, alone=False, root=root)) for root in ("/qos/policies", "/policies")),
)
for _kind, _noun_of_kind in _BY_KIND:
    _declare(_kind, _noun_of_kind)
RULES = tuple(noun for _, noun in _BY_KIND)

TYPES = Facet("qos-rule-type-details", "Details of types of rules")


async def _list_types(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_rule_type")
    return {"rule_types": [{"type": kind} for kind in FIELDS]}


async def _show_type(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_rule_type")
    # What drivers there are is the operator's business.
    call.allow("context_is_admin")
    kind = call.path["type"]
    values: dict[str, list[dict[str, Any]]] = {
        BANDWIDTH: [
            _parameter("max_kbps", "range", {"start": 0, "end": MOST}),
            _parameter("max_burst_kbps", "range", {"start": 0, "end": MOST}),
            _parameter("direction", "choices", ["ingress", "egress"]),
        ],
        PACKETS: [
            _parameter("max_kpps", "range", {"start": 0, "end": MOST}),
            _parameter("max_burst_kpps", "range", {"start": 0, "end": MOST}),
            _parameter("direction", "choices", ["ingress", "egress"]),
        ],
        DSCP: [_parameter("dscp_mark", "choices", list(MARKS))],
    }
    if kind not in values:
        raise errors.QosRuleNotFound(f"QoS rule type {kind[:60]} could not be found.")
    return {"rule_type": {"type": kind, "drivers": [{"name": "linux", "supported_parameters": values[kind]}]}}


def _parameter(name: str, kind: str, values: Any) -> dict[str, Any]:
    return {"parameter_name": name, "parameter_type": kind, "parameter_values": values}


def endpoints() -> list[Endpoint]:
    return [
        Endpoint("GET", "/qos/rule-types", _list_types, name="list_rule_types"),
        Endpoint("GET", "/qos/rule-types/{type}", _show_type, name="show_rule_type"),
    ]
