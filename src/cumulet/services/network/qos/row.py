"""What is remembered of policies and their rules, and which policy a port or network may use."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Json, LongText, Query, Ref, Row, Short, Transaction, stored
from cumulet.core.web.call import Call
from cumulet.services.network import rbac
from cumulet.services.network.errors import NotAuthorized
from cumulet.services.network.qos.errors import QosPolicyNotFound
from cumulet.services.network.standard import Standard


@stored("network_qos_policies", sa.Index("network_qos_policies_project", "project_id"))
class PolicyRow(Standard):
    """A policy."""

    shared_with: LongText
    is_default: bool
    rules: Json
    """Its rules as the view shows them."""


@stored(
    "network_qos_rules",
    sa.Index("network_qos_rules_once", "policy_id", "type", "direction", unique=True),
)
class QosRuleRow(Row):
    """One rule of a policy. Which numbers count depends on its type."""

    id: Id
    project_id: Ref
    policy_id: Ref
    type: Short
    direction: Short
    rate: int
    burst: int


@stored("network_qos_defaults")
class DefaultPolicyRow(Row):
    """The policy that a project's new networks get."""

    project_id: Annotated[str, sa.String(64), PRIMARY]
    policy_id: Ref


_SEEN = Query(
    sa.select(PolicyRow.table).where(
        PolicyRow.c.id == sa.bindparam("policy", type_=sa.String), rbac.own_or_shared(PolicyRow, "qos_policy")
    )
)


async def applied_policy(tx: Transaction, call: Call, policy_id: str | None, has: str = "") -> str:
    """The id of a policy that the caller may use; empty for none. Raises QosPolicyNotFound.

    What somebody else put in force (`has`) he cannot take away: NotAuthorized.
    """
    wanted = policy_id or ""
    if has and has != wanted and not await _may_use(tx, call, has):
        raise NotAuthorized(f"Policy {has} cannot be removed by you.", type_name="PolicyRemoveAuthorizationError")
    if wanted and not await _may_use(tx, call, wanted):
        raise QosPolicyNotFound(f"QoS policy {wanted} could not be found.")
    return wanted


async def _may_use(tx: Transaction, call: Call, policy_id: str) -> bool:
    if rbac.sees_all(call):
        return await tx.get(PolicyRow, id=policy_id) is not None
    values = {"policy": policy_id, "caller_project": call.caller.project_id}
    return bool(await tx.tuples(_SEEN, values))
