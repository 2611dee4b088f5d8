"""The noun `rbac_policy`: shares, as their owners make and end them."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate, Row, Transaction
from cumulet.core.errors import Conflict, NotFound
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Enum, Text, Uuid
from cumulet.lib.ids import new_uuid
from cumulet.services.network import rbac
from cumulet.services.network.address_groups import AddressGroupRow
from cumulet.services.network.address_pools.row import AddressScopeRow, SubnetPoolRow
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.row import GATEWAY, PortGroupRow, PortRow
from cumulet.services.network.qos.row import PolicyRow
from cumulet.services.network.rbac import RbacRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.security_groups.row import RuleRow, SecurityGroupRow
from cumulet.services.network.standard import OWNED, bump
from cumulet.services.network.subnets.row import SubnetRow


class RbacPolicyNotFound(NotFound):
    pass


class RbacPolicyInUse(Conflict):
    pass


class RbacPolicyExists(Conflict):
    pass


OBJECTS: dict[str, type[Row]] = {
    "network": NetworkRow,
    "qos_policy": PolicyRow,
    "security_group": SecurityGroupRow,
    "address_scope": AddressScopeRow,
    "subnetpool": SubnetPoolRow,
    "address_group": AddressGroupRow,
}

rbac_policies = Noun(
    "/rbac-policies",
    "rbac_policy",
    "rbac_policies",
    RbacRow,
    [
        OWNED,
        Facet(
            "rbac-policies",
            "Shares",
            (
                Field("object_type", Enum(*OBJECTS), create=REQUIRED),
                Field("object_id", Uuid, create=REQUIRED),
                Field("action", Text(255, 1), create=REQUIRED),
                Field("target_tenant", Text(255, 1), create=REQUIRED, update=OPTIONAL, source="target"),
            ),
        ),
    ],
    missing=RbacPolicyNotFound,
    quota="rbac_policy",
)
rbac_policies.reads()


@rbac_policies.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> RbacRow:
    kind = wish["object_type"]
    shared: Any = await tx.get(OBJECTS[kind], id=wish["object_id"])
    if shared is None:
        raise RbacPolicyNotFound(f"The {kind} {wish['object_id']} could not be found.")
    if shared.project_id != call.caller.project_id and not rbac.sees_all(call):
        raise InvalidInput("Only admins can manipulate policies on objects they do not own.")
    allowed = {rbac.SHARED, rbac.EXTERNAL} if kind == "network" else {rbac.SHARED}
    if wish["action"] not in allowed:
        raise InvalidInput(
            f"Invalid action '{wish['action'][:60]}' for object type '{kind}'; use {', '.join(sorted(allowed))}"
        )
    if kind == "subnetpool":
        await _refuse_hidden_scope(tx, shared, wish["target_tenant"])
    row = RbacRow(new_uuid(), wish["project_id"], kind, shared.id, wish["action"], wish["target_tenant"], counted=True)
    await _insert(tx, row)
    await _show(tx, row)
    await bump(room, tx, OBJECTS[kind], shared.id)
    return row


async def _refuse_hidden_scope(tx: Transaction, pool: SubnetPoolRow, target: str) -> None:
    """A pool is of no use to whom its scope is not shared with."""
    scope = await tx.get(AddressScopeRow, id=pool.scope_id) if pool.scope_id else None
    if scope is None or target == scope.project_id:
        return
    if not rbac.shared_with(await rbac.targets(tx, scope.id), target):
        raise InvalidInput(
            f"Subnet pool {pool.id} cannot be shared with {target[:64]}: its address scope {scope.id} is not."
        )


async def _insert(tx: Transaction, row: RbacRow) -> None:
    same = {"object_id": row.object_id, "action": row.action, "target": row.target}
    refusal = RbacPolicyExists(
        f"An RBAC policy for {row.object_type} {row.object_id}, {row.action} and {row.target} exists already.",
        type_name="DuplicateRbacPolicy",
    )
    if await tx.get(RbacRow, **same):
        raise refusal
    try:
        await tx.insert(row)
    except Duplicate as race:
        raise refusal from race


async def _show(tx: Transaction, row: RbacRow) -> None:
    """Bring the object's row in line with its shares."""
    kind = OBJECTS[row.object_type]
    await tx.update(kind, {"id": row.object_id}, shared_with=await rbac.targets(tx, row.object_id))
    if row.object_type == "network":
        external = await tx.count(RbacRow, object_id=row.object_id, action=rbac.EXTERNAL) > 0
        await tx.update(NetworkRow, {"id": row.object_id}, external=external)


@rbac_policies.updating
async def update(room: Network, call: Call, tx: Transaction, row: RbacRow, wish: dict[str, Any]) -> RbacRow:
    target = wish.get("target_tenant", row.target)
    if target not in (row.target, rbac.EVERYBODY):
        await refuse_in_use(tx, row, but=target)
    try:
        changed: RbacRow = await rbac_policies.save(room, tx, row, target=target)
    except Duplicate as taken:
        raise RbacPolicyExists(f"Such an RBAC policy for {row.object_id} exists already.") from taken
    await _show(tx, changed)
    await bump(room, tx, OBJECTS[row.object_type], row.object_id)
    return changed


@rbac_policies.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: RbacRow) -> None:
    await refuse_in_use(tx, row)
    await rbac.end(room, tx, row)
    await _show(tx, row)
    await bump(room, tx, OBJECTS[row.object_type], row.object_id)


async def refuse_in_use(tx: Transaction, row: RbacRow, but: str = "") -> None:
    """Raise while projects other than `but`, which see the object only by this share, use it.

    A policy of QoS is held by any use, also its owner's and that of whom it is shared with next.
    """
    users = await _users(tx, row)
    others = {other.target for other in await tx.find(RbacRow, object_id=row.object_id, action=row.action)}
    if rbac.EVERYBODY in others - {row.target}:
        return
    left = users - (others - {row.target}) - {""}
    if row.object_type != "qos_policy":
        owner: Any = await tx.get(OBJECTS[row.object_type], id=row.object_id)
        left -= {but, owner.project_id if owner else ""}
    stranded = left if row.target == rbac.EVERYBODY else left & {row.target}
    if stranded:
        raise RbacPolicyInUse(
            f"RBAC policy on object {row.object_id} cannot be removed: the object is used by project {min(stranded)}."
        )


async def _users(tx: Transaction, row: RbacRow) -> set[str]:
    """Projects that use an object in the way that a share allows."""
    if row.action == rbac.EXTERNAL:
        ports = await tx.find(PortRow, network_id=row.object_id, device_owner=GATEWAY)
        routers = await tx.find(RouterRow, id=sorted({port.device_id for port in ports})) if ports else []
        return {router.project_id for router in routers}
    found: list[Any] = []
    match row.object_type:
        case "network":
            found = [
                port
                for port in await tx.find(PortRow, network_id=row.object_id)
                if not port.device_owner.startswith("network:")
            ]
        case "qos_policy":
            found = await tx.find(PortRow, qos_policy_id=row.object_id)
            found += await tx.find(NetworkRow, qos_policy_id=row.object_id)
        case "security_group":
            members = [member.port_id for member in await tx.find(PortGroupRow, group_id=row.object_id)]
            found = await tx.find(PortRow, id=members) if members else []
        case "address_group":
            named = {rule.group_id for rule in await tx.find(RuleRow, remote_address_group_id=row.object_id)}
            found = await tx.find(SecurityGroupRow, id=sorted(named)) if named else []
        case "address_scope":
            found = await tx.find(SubnetPoolRow, scope_id=row.object_id)
        case "subnetpool":
            found = await tx.find(SubnetRow, subnetpool_id=row.object_id)
    return {user.project_id for user in found}
