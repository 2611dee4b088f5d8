"""The noun `subnetpool`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter
from cumulet.core.web.wire import Bool, Cidr, Int, ListOf, Text, Uuid, parse_bool
from cumulet.services.network import ipam, rbac
from cumulet.services.network.address_pools.errors import AddressScopeNotFound, SubnetPoolInUse, SubnetPoolNotFound
from cumulet.services.network.address_pools.prefixes import compacted, contains, overlapping, without
from cumulet.services.network.address_pools.row import AddressScopeRow, SubnetPoolRow
from cumulet.services.network.attributes import clean
from cumulet.services.network.errors import InvalidInput, ResourceInUse
from cumulet.services.network.facets import Facet, OrNull, Passed
from cumulet.services.network.networks.errors import NetworkNotFound
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.querying import number_within
from cumulet.services.network.room import Network
from cumulet.services.network.standard import STANDARD, json_text, standard
from cumulet.services.network.subnets.row import SubnetRow

Prefixes = ListOf(Cidr, most=256, least=1)
Length = Int(0, 128)


def _shared_filter(values: list[bool]) -> tuple[str, Clause, Mapping[str, Any]]:
    """Pools that are shared with the caller, or others."""
    wanted = values[-1]
    shared = rbac.shared_ids("subnetpool")
    return f"shared {wanted}", SubnetPoolRow.c.id.in_(shared) if wanted else SubnetPoolRow.c.id.not_in(shared), {}


def _text(column: str) -> Callable[[Any, Any], str]:
    """Lengths are shown as text, as the real service does."""
    return lambda row, call: str(getattr(row, column))


subnetpools = Noun(
    "/subnetpools",
    "subnetpool",
    "subnetpools",
    SubnetPoolRow,
    [
        *STANDARD,
        Facet(
            "subnet_allocation",
            "Subnets from pools",
            (
                Field("ip_version", Text(), source="version"),
                Field("prefixes", Prefixes, create=REQUIRED, update=OPTIONAL, source=Passed("prefixes")),
                Field("min_prefixlen", Length, create=OPTIONAL, update=OPTIONAL, source=_text("min_prefixlen")),
                Field("max_prefixlen", Length, create=OPTIONAL, update=OPTIONAL, source=_text("max_prefixlen")),
                Field("default_prefixlen", Length, create=OPTIONAL, update=OPTIONAL, source=_text("default_prefixlen")),
                Field("default_quota", Int(0).or_null(), create=OPTIONAL, update=OPTIONAL),
                Field(
                    "shared",
                    Bool,
                    create=False,
                    source=lambda row, call: rbac.shared_with(row.shared_with, call.caller.project_id),
                ),
                Field("is_default", Bool, create=False, update=OPTIONAL),
            ),
        ),
        Facet(
            "address-scope",
            "Address scopes",
            (Field("address_scope_id", Uuid.or_null(), create=OPTIONAL, update=OPTIONAL, source=OrNull("scope_id")),),
        ),
        Facet("subnetpool-prefix-ops", "Prefixes of pools one by one"),
        Facet("subnet_onboard", "Subnets brought into a pool"),
        Facet("rbac-subnetpool", "Shares of subnet pools"),
    ],
    missing=SubnetPoolNotFound,
    quota="subnetpool",
    sees=lambda call: None if rbac.sees_all(call) else rbac.own_or_shared(SubnetPoolRow, "subnetpool"),
    filters=[
        Filter("shared", parse=parse_bool, clause=_shared_filter),
        *(Filter(f"{end}_prefixlen", f"{end}_prefixlen", number_within(2**31)) for end in ("min", "max", "default")),
    ],
)
subnetpools.reads()


@subnetpools.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> SubnetPoolRow:
    prefixes, version = _checked(wish["prefixes"])
    scope_id = await _scope(tx, call, wish.get("address_scope_id"), version, prefixes, "")
    return await insert(room, tx, wish, scope_id)


async def insert(room: Network, tx: Transaction, wish: dict[str, Any], scope_id: str = "") -> SubnetPoolRow:
    """A new pool; in the scope that was found for it."""
    prefixes, version = _checked(wish["prefixes"])
    lengths: dict[str, Any] = {**_lengths(wish, version, None)}
    shared = rbac.EVERYBODY if wish["shared"] else ""
    row = SubnetPoolRow(
        **standard(wish, room.clock),
        version=version,
        prefixes=json_text(prefixes),
        **lengths,
        default_quota=wish.get("default_quota"),
        scope_id=scope_id,
        is_default=wish["is_default"],
        shared_with=shared,
    )
    await _refuse_second_default(tx, row)
    await tx.insert(row)
    if shared:
        await rbac.share(tx, "subnetpool", row.id, row.project_id, rbac.SHARED, rbac.EVERYBODY)
    return row


@subnetpools.updating
async def update(room: Network, call: Call, tx: Transaction, row: SubnetPoolRow, wish: dict[str, Any]) -> SubnetPoolRow:
    plain = ("name", "description", "default_quota", "is_default")
    changes: dict[str, Any] = {name: wish[name] for name in plain if name in wish}
    prefixes: list[str] = msgspec.json.decode(row.prefixes)
    if "prefixes" in wish:
        fresh, version = _checked(wish["prefixes"])
        if version != row.version or not all(contains(fresh, ipam.network_of(prefix)) for prefix in prefixes):
            raise InvalidInput(
                "Illegal subnetpool update : Existing prefixes must be a subset of the new prefixes.",
                type_name="IllegalSubnetPoolPrefixUpdate",
            )
        prefixes, changes["prefixes"] = fresh, json_text(fresh)
    changes |= _lengths(wish, row.version, row)
    scope = wish.get("address_scope_id", row.scope_id)
    if scope and scope == row.scope_id and "prefixes" in wish:
        await _refuse_other_scope(tx, call, scope)
    if scope != row.scope_id or "prefixes" in wish:
        changes["scope_id"] = await _scope(tx, call, scope, row.version, prefixes, row.id)
    changed: SubnetPoolRow = await subnetpools.save(room, tx, row, **changes)
    await _refuse_second_default(tx, changed)
    if changed.scope_id != row.scope_id:
        column = "scope_v4" if row.version == 4 else "scope_v6"
        ids = sorted({subnet.network_id for subnet in await tx.find(SubnetRow, subnetpool_id=row.id)})
        if ids:
            await tx.update(NetworkRow, {"id": ids}, **{column: changed.scope_id})
    return changed


@subnetpools.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: SubnetPoolRow) -> None:
    if await tx.count(SubnetRow, subnetpool_id=row.id):
        raise SubnetPoolInUse(
            f"Unable to delete subnet pool: {row.id}. Subnet pool has existing allocations.",
            type_name="SubnetPoolDeleteError",
        )
    await rbac.unshare(room, tx, row.id)


@subnetpools.verb("add_prefixes", "add_prefixes")
async def add_prefixes(
    room: Network, call: Call, tx: Transaction, row: SubnetPoolRow, body: dict[str, Any]
) -> dict[str, Any]:
    given = _prefixes_of(body, row)
    prefixes = compacted([*msgspec.json.decode(row.prefixes), *given])
    if row.scope_id:
        await _scope(tx, call, row.scope_id, row.version, prefixes, row.id)
    await subnetpools.save(room, tx, row, prefixes=json_text(prefixes))
    return {"prefixes": prefixes}


@subnetpools.verb("remove_prefixes", "remove_prefixes")
async def remove_prefixes(
    room: Network, call: Call, tx: Transaction, row: SubnetPoolRow, body: dict[str, Any]
) -> dict[str, Any]:
    given = _prefixes_of(body, row)
    taken = [subnet.cidr for subnet in await tx.find(SubnetRow, subnetpool_id=row.id)]
    if overlapping(given, taken):
        raise SubnetPoolInUse(
            "A prefix cannot be removed while subnets that were taken from it exist.",
            type_name="IllegalSubnetPoolPrefixUpdate",
        )
    left = without(msgspec.json.decode(row.prefixes), given)
    await subnetpools.save(room, tx, row, prefixes=json_text(left))
    return {"prefixes": left}


@subnetpools.verb("onboard_network_subnets", "onboard_network_subnets")
async def onboard(
    room: Network, call: Call, tx: Transaction, row: SubnetPoolRow, body: dict[str, Any]
) -> list[dict[str, Any]]:
    """The subnets of a network become the pool's, their prefixes with them."""
    inner = body.get("subnetpool", body)
    network_id = inner.get("network_id") if isinstance(inner, dict) else None
    network = await tx.get(NetworkRow, id=network_id) if isinstance(network_id, str) else None
    if network is None or (network.project_id != call.caller.project_id and not rbac.sees_all(call)):
        raise NetworkNotFound(f"Network {str(network_id)[:64]} could not be found.")
    subnets = await tx.find(SubnetRow, network_id=network.id, version=row.version)
    if not subnets or any(subnet.subnetpool_id for subnet in subnets):
        raise InvalidInput(
            f"Network {network.id} has no subnets of IPv{row.version}, or some are of a pool already.",
            type_name="IllegalSubnetPoolUpdate",
        )
    prefixes = compacted([*msgspec.json.decode(row.prefixes), *(subnet.cidr for subnet in subnets)])
    if row.scope_id:
        await _scope(tx, call, row.scope_id, row.version, prefixes, row.id)
        column = "scope_v4" if row.version == 4 else "scope_v6"
        await tx.update(NetworkRow, {"id": network.id}, **{column: row.scope_id})
    await subnetpools.save(room, tx, row, prefixes=json_text(prefixes))
    await tx.update(SubnetRow, {"id": [subnet.id for subnet in subnets]}, subnetpool_id=row.id)
    return [{"id": subnet.id, "cidr": subnet.cidr} for subnet in subnets]


def _prefixes_of(body: dict[str, Any], row: SubnetPoolRow) -> list[str]:
    inner = body.get("subnetpool", body)
    given = inner.get("prefixes") if isinstance(inner, dict) else None
    prefixes, version = _checked(clean(Field("prefixes", Prefixes), given))
    if version != row.version:
        raise InvalidInput("The prefixes must be of the subnet pool's IP version.")
    return prefixes


def _checked(prefixes: list[str]) -> tuple[list[str], int]:
    versions = {ipam.network_of(prefix).version for prefix in prefixes}
    if len(versions) != 1:
        raise InvalidInput("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", type_name="PrefixVersionMismatch")
    return compacted(prefixes), versions.pop()


def _lengths(wish: dict[str, Any], version: int, row: SubnetPoolRow | None) -> dict[str, int]:
    """The lengths of prefixes a pool gives, in their order. Raises for others."""
    bits = 32 if version == 4 else 128
    least = wish.get("min_prefixlen", row.min_prefixlen if row else 8 if version == 4 else 64)
    most = wish.get("max_prefixlen", row.max_prefixlen if row else bits)
    usual = wish.get("default_prefixlen", row.default_prefixlen if row else least)
    if most > bits:
        raise InvalidInput(
            f"Prefix length {most} is longer than {bits} bits.", type_name="IllegalSubnetPoolPrefixBounds"
        )
    if not least <= usual <= most:
        raise InvalidInput(
            f"Illegal prefix bounds: min_prefixlen={least}, default_prefixlen={usual}, max_prefixlen={most}.",
            type_name="IllegalSubnetPoolPrefixBounds",
        )
    return {"min_prefixlen": least, "max_prefixlen": most, "default_prefixlen": usual}


async def _scope(
    tx: Transaction, call: Call, scope_id: str | None, version: int, prefixes: list[str], pool_id: str
) -> str:
    """The scope a pool may stand in: of its version, seen by the caller, without another pool's prefixes."""
    if not scope_id:
        return ""
    scope = await tx.get(AddressScopeRow, id=scope_id)
    mine = scope and (scope.project_id == call.caller.project_id or rbac.sees_all(call))
    if scope is None or not (mine or rbac.shared_with(scope.shared_with, call.caller.project_id)):
        raise AddressScopeNotFound(f"Address scope {scope_id} could not be found.")
    if scope.version != version:
        raise InvalidInput(
            f"Illegal subnetpool association: subnetpool cannot associate with address scope {scope_id} because "
            f"subnetpool ip_version is not {scope.version}.",
            type_name="IllegalSubnetPoolIpVersionAssociationToAddressScope",
        )
    for other in await tx.find(SubnetPoolRow, scope_id=scope_id):
        if other.id != pool_id and overlapping(prefixes, msgspec.json.decode(other.prefixes)):
            raise ResourceInUse(
                f"Subnetpool prefixes overlap with those of subnet pool {other.id} in address scope {scope_id}.",
                type_name="AddressScopePrefixConflict",
            )
    return scope.id


async def _refuse_other_scope(tx: Transaction, call: Call, scope_id: str) -> None:
    """What stands in a scope of somebody else's changes by him, or by an administrator."""
    scope = await tx.get(AddressScopeRow, id=scope_id)
    if scope and scope.project_id != call.caller.project_id and not rbac.sees_all(call):
        raise InvalidInput(
            f"Illegal subnetpool association: subnetpool cannot be associated with address scope {scope_id}.",
            type_name="IllegalSubnetPoolAssociationToAddressScope",
        )


async def _refuse_second_default(tx: Transaction, row: SubnetPoolRow) -> None:
    if row.is_default:
        for other in await tx.find(SubnetPoolRow, is_default=True, version=row.version):
            if other.id != row.id:
                raise InvalidInput(
                    f"A default subnetpool for this IP family has already been set: {other.id}.",
                )
