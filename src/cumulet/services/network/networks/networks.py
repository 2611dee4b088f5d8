"""The noun `network`: made, changed, shared and deleted by its users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter
from cumulet.core.web.wire import parse_bool
from cumulet.services.network import rbac
from cumulet.services.network.errors import ResourceInUse
from cumulet.services.network.networks import operations
from cumulet.services.network.networks.carrying import most_mtu, segments_of
from cumulet.services.network.networks.errors import NetworkNotFound
from cumulet.services.network.networks.fields import FACETS
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.row import FLOATING, GATEWAY, PortRow
from cumulet.services.network.qos.conflicts import refuse_bound
from cumulet.services.network.qos.requests import renew
from cumulet.services.network.qos.row import DefaultPolicyRow, applied_policy
from cumulet.services.network.room import Network
from cumulet.services.network.stirring import stir
from cumulet.services.network.subnets.operations import refuse_small
from cumulet.services.network.subnets.row import SubnetRow


def _sees(call: Call) -> Clause | None:
    return None if rbac.sees_all(call) else rbac.own_or_shared(NetworkRow, "network")


def _shared_filter(values: list[bool]) -> tuple[str, Clause, Mapping[str, Any]]:
    wanted = values[-1]
    to_me = sa.select(rbac.RbacRow.c.object_id).where(
        rbac.RbacRow.c.action == rbac.SHARED, rbac.RbacRow.c.target.in_([rbac.EVERYBODY, rbac.caller_project()])
    )
    clause = NetworkRow.c.id.in_(to_me) if wanted else NetworkRow.c.id.not_in(to_me)
    return f"shared {wanted}", clause, {}


networks = Noun(
    "/networks",
    "network",
    "networks",
    NetworkRow,
    FACETS,
    missing=NetworkNotFound,
    quota="network",
    sees=_sees,
    aspects=lambda call, row: {"router:external": row.external, "network:project_id": row.project_id},
    filters=[Filter("shared", parse=parse_bool, clause=_shared_filter)],
)
networks.reads()


@networks.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> NetworkRow:
    if "qos_policy_id" in wish:
        policy = await applied_policy(tx, call, wish["qos_policy_id"])
    else:
        default = await tx.get(DefaultPolicyRow, project_id=wish["project_id"])
        policy = default.policy_id if default else ""
    return await operations.make(room, tx, wish, qos_policy=policy)


@networks.updating
async def update(room: Network, call: Call, tx: Transaction, row: NetworkRow, wish: dict[str, Any]) -> NetworkRow:
    changes: dict[str, Any] = {
        networks.columns.get(name, name): value
        for name, value in wish.items()
        if name not in ("shared", "qos_policy_id", "mtu")
    }
    if "mtu" in wish:
        most = most_mtu(room, await segments_of(tx, row.id))
        changes["mtu"] = operations.checked_mtu(wish["mtu"] or most, most)
        for version in {subnet.version for subnet in await tx.find(SubnetRow, network_id=row.id)}:
            refuse_small(row.id, changes["mtu"], version)
    if "qos_policy_id" in wish:
        changes["qos_policy_id"] = await applied_policy(tx, call, wish["qos_policy_id"], row.qos_policy_id)
    if "shared" in wish and wish["shared"] != (rbac.EVERYBODY in row.shared_with):
        await _share(room, tx, row, wish["shared"])
        changes["shared_with"] = await rbac.targets(tx, row.id)
    if wish.get("router:external", row.external) != row.external:
        await _set_external(room, tx, row, wish["router:external"])
    changed: NetworkRow = await networks.save(room, tx, row, **changes)
    await operations.refuse_second_default(tx, changed)
    if changed.qos_policy_id != row.qos_policy_id:
        await _follow_policy(tx, row, changed.qos_policy_id)
    if changed is not row:
        await stir(tx, NetworkRow, "network", [row.id])
    return changed


async def _follow_policy(tx: Transaction, row: NetworkRow, policy_id: str) -> None:
    """The ports without a policy of their own are under this one from now on. Raises where that cannot be."""
    ports = await tx.find(PortRow, network_id=row.id)
    await tx.update(PortRow, {"network_id": row.id}, qos_network_policy_id=policy_id)
    inheriting = [port for port in ports if not port.qos_policy_id]
    refuse_bound(inheriting, row.qos_policy_id)
    await renew(tx, [msgspec.structs.replace(port, qos_network_policy_id=policy_id) for port in inheriting])
    await stir(tx, PortRow, "port", [port.id for port in inheriting if port.host])


async def _share(room: Network, tx: Transaction, row: NetworkRow, wanted: bool) -> None:
    if wanted:
        await rbac.share(tx, "network", row.id, row.project_id, rbac.SHARED, rbac.EVERYBODY)
        return
    await _refuse_while_others_use(tx, row)
    await rbac.unshare(room, tx, row.id, rbac.SHARED, rbac.EVERYBODY)


async def _refuse_while_others_use(tx: Transaction, row: NetworkRow) -> None:
    """Raise when ports of other projects are on a network that is no longer to be shared with everybody."""
    keep = {row.project_id, "", *row.shared_with.split()} - {rbac.EVERYBODY}
    for port in await tx.find(PortRow, network_id=row.id):
        if port.project_id not in keep:
            raise ResourceInUse(
                f"Unable to reconfigure sharing settings for network {row.id}: others use it.",
                type_name="InvalidSharedSetting",
            )


async def _set_external(room: Network, tx: Transaction, row: NetworkRow, wanted: bool) -> None:
    if wanted:
        await rbac.share(tx, "network", row.id, row.project_id, rbac.EXTERNAL, rbac.EVERYBODY)
        return
    if await tx.count(PortRow, network_id=row.id, device_owner=[FLOATING, GATEWAY]):
        raise ResourceInUse(
            f"External network {row.id} cannot be made non-external: it has gateway ports.",
            type_name="ExternalNetworkInUse",
        )
    await rbac.unshare(room, tx, row.id, rbac.EXTERNAL)


@networks.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: NetworkRow) -> None:
    await operations.erase(room, tx, row)
