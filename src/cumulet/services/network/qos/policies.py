"""The noun `policy` of quality of service."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Text
from cumulet.services.network import rbac
from cumulet.services.network.facets import Facet, Passed
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.qos.conflicts import under
from cumulet.services.network.qos.errors import QosPolicyInUse, QosPolicyNotFound
from cumulet.services.network.qos.kinds import KINDS
from cumulet.services.network.qos.requests import renew
from cumulet.services.network.qos.row import DefaultPolicyRow, PolicyRow, QosRuleRow
from cumulet.services.network.rbac import RbacRow
from cumulet.services.network.rbac_policies import refuse_in_use
from cumulet.services.network.room import Network
from cumulet.services.network.standard import STANDARD, json_text, standard
from cumulet.services.network.stirring import stir

policies = Noun(
    "/qos/policies",
    "policy",
    "policies",
    PolicyRow,
    [
        *STANDARD,
        Facet(
            "qos",
            "Quality of service",
            (
                Field(
                    "shared",
                    Bool,
                    create=False,
                    update=OPTIONAL,
                    source=lambda row, call: rbac.shared_with(row.shared_with, call.caller.project_id),
                ),
                Field("rules", Text(), source=Passed("rules")),
            ),
        ),
        Facet("qos-default", "Default policies", (Field("is_default", Bool, create=False, update=OPTIONAL),)),
    ],
    missing=QosPolicyNotFound,
    sees=lambda call: None if rbac.sees_all(call) else rbac.own_or_shared(PolicyRow, "qos_policy"),
)
policies.reads()


@policies.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> PolicyRow:
    shared = rbac.EVERYBODY if wish["shared"] else ""
    row = PolicyRow(**standard(wish, room.clock), shared_with=shared, is_default=wish["is_default"], rules="[]")
    await tx.insert(row)
    if shared:
        await rbac.share(tx, "qos_policy", row.id, row.project_id, rbac.SHARED, rbac.EVERYBODY)
    if row.is_default:
        await _make_default(tx, row)
    return row


async def _make_default(tx: Transaction, row: PolicyRow) -> None:
    has = await tx.get(DefaultPolicyRow, project_id=row.project_id)
    if has and has.policy_id != row.id:
        raise QosPolicyInUse(
            f"A default QoS policy exists for project {row.project_id}: {has.policy_id}.",
            type_name="QoSPolicyDefaultAlreadyExists",
        )
    if has is None:
        await tx.insert(DefaultPolicyRow(row.project_id, row.id))


@policies.updating
async def update(room: Network, call: Call, tx: Transaction, row: PolicyRow, wish: dict[str, Any]) -> PolicyRow:
    changes = {name: value for name, value in wish.items() if name != "shared"}
    if "shared" in wish:
        if wish["shared"]:
            await rbac.share(tx, "qos_policy", row.id, row.project_id, rbac.SHARED, rbac.EVERYBODY)
        else:
            for share in await tx.find(RbacRow, object_id=row.id, target=rbac.EVERYBODY):
                await refuse_in_use(tx, share)
            await rbac.unshare(room, tx, row.id, rbac.SHARED, rbac.EVERYBODY)
        changes["shared_with"] = await rbac.targets(tx, row.id)
    changed: PolicyRow = await policies.save(room, tx, row, **changes)
    if changed.is_default and not row.is_default:
        await _make_default(tx, changed)
    if row.is_default and not changed.is_default:
        await tx.delete(DefaultPolicyRow, policy_id=row.id)
    return changed


@policies.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: PolicyRow) -> None:
    for kind, word in ((PortRow, "port"), (NetworkRow, "network")):
        users: list[Any] = await tx.find(kind, qos_policy_id=row.id)
        if users:
            raise QosPolicyInUse(f"QoS Policy {row.id} is used by {word} {users[0].id}.")
    await tx.delete(QosRuleRow, policy_id=row.id)
    await tx.delete(DefaultPolicyRow, policy_id=row.id)
    await rbac.unshare(room, tx, row.id)


def shown_rule(rule: QosRuleRow) -> dict[str, Any]:
    """A rule as its policy shows it."""
    identity = {"id": rule.id, "qos_policy_id": rule.policy_id, "type": rule.type}
    return identity | KINDS[rule.type].shown(rule.rate, rule.burst, rule.direction)


async def show_rules(room: Network, tx: Transaction, policy: PolicyRow) -> None:
    """Bring a policy's text in line with its rules; the ports it holds for are stirred."""
    rules = await tx.find(QosRuleRow, policy_id=policy.id, order_by="id")
    await policies.save(room, tx, policy, rules=json_text([shown_rule(rule) for rule in rules]))
    ports = await under(tx, policy.id)
    await renew(tx, ports)
    await stir(tx, PortRow, "port", [port.id for port in ports if port.host])
