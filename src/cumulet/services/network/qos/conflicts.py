"""Which rules cannot stand together, and which must stay because servers hold what they promise."""

from __future__ import annotations

from collections.abc import Iterable

from cumulet.core.db import Transaction
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.qos.errors import QosPolicyInUse, RuleHeld
from cumulet.services.network.qos.kinds import ANY, GUARANTEES, KINDS
from cumulet.services.network.qos.row import QosRuleRow

LIMITS = {limit: least for least, limit in GUARANTEES.items()}


def taken(row: QosRuleRow) -> QosPolicyInUse:
    return QosPolicyInUse(
        f"Rule {row.type} conflicts with another rule of QoS Policy {row.policy_id}.", type_name="QoSRulesConflict"
    )


async def refuse_conflict(tx: Transaction, row: QosRuleRow) -> None:
    """Raise for a second rule of the same kind and direction, and for a guarantee above what another rule allows."""
    others = [rule for rule in await tx.find(QosRuleRow, policy_id=row.policy_id) if rule.id != row.id]
    for other in others:
        same = other.direction == row.direction or ANY in (other.direction, row.direction)
        if other.type == row.type and same:
            raise taken(row)
        if not same:
            continue
        if GUARANTEES.get(row.type) == other.type and row.rate > other.rate:
            raise _above(row, other)
        if LIMITS.get(row.type) == other.type and row.rate < other.rate:
            raise _above(row, other)


def _above(row: QosRuleRow, other: QosRuleRow) -> QosPolicyInUse:
    return QosPolicyInUse(
        f"Unable to add the rule with value {row.rate} to the policy {row.policy_id}: the existing rule of type "
        f"{other.type} restricts {KINDS[row.type].rate} to {other.rate}.",
        type_name="QoSRuleParameterConflict",
    )


async def refuse_held(tx: Transaction, row: QosRuleRow) -> None:
    """Raise for a guarantee that a server's port has its share of: another policy for that port changes the share."""
    if row.type in GUARANTEES:
        refuse_bound(await under(tx, row.policy_id), row.policy_id)


def refuse_bound(ports: Iterable[PortRow], policy_id: str) -> None:
    """Raise where one of these has its share of what a policy promises."""
    for port in ports:
        if port.allocation != "{}":
            raise RuleHeld(
                f"What QoS policy {policy_id} promises cannot be changed while port {port.id} is bound by it. Give the "
                "port a policy of its own, or another one."
            )


async def under(tx: Transaction, policy_id: str) -> list[PortRow]:
    """The ports that a policy holds for: by themselves, or by their network."""
    own = await tx.find(PortRow, qos_policy_id=policy_id)
    inherited = await tx.find(PortRow, qos_network_policy_id=policy_id)
    return [*own, *(port for port in inherited if not port.qos_policy_id)]
