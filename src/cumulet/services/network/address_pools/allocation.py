"""Taking a subnet's prefix from a pool."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.core.web.call import Call
from cumulet.services.network import ipam, rbac
from cumulet.services.network.address_pools.errors import SubnetAllocationError, SubnetPoolNotFound
from cumulet.services.network.address_pools.prefixes import contains, first_free, overlapping
from cumulet.services.network.address_pools.row import SubnetPoolRow
from cumulet.services.network.errors import HTTPBadRequest, InvalidInput, ResourceInUse
from cumulet.services.network.subnets.row import SubnetRow


async def chosen_pool(tx: Transaction, call: Call, wish: Mapping[str, Any]) -> SubnetPoolRow | None:
    """The pool that a new subnet is to be taken from; None: its CIDR is given."""
    pool_id = wish.get("subnetpool_id")
    version = wish.get("ip_version")
    if wish.get("use_default_subnetpool"):
        if pool_id or wish.get("cidr"):
            raise HTTPBadRequest("subnetpool_id, cidr and use_default_subnetpool cannot be given together")
        found = await tx.find(SubnetPoolRow, is_default=True, version=version or 4)
        if not found:
            raise HTTPBadRequest(f"No default subnetpool found for IPv{version or 4}")
        return found[0]
    if not pool_id:
        return None
    pool = await tx.get(SubnetPoolRow, id=pool_id)
    if pool is None or not (
        rbac.sees_all(call)
        or pool.project_id == call.caller.project_id
        or rbac.shared_with(pool.shared_with, call.caller.project_id)
    ):
        raise SubnetPoolNotFound(f"Subnet pool {pool_id} could not be found.")
    if version is not None and version != pool.version:
        raise HTTPBadRequest("Cannot allocate a subnet of one IP version from a subnet pool of another one")
    if wish.get("cidr") and wish.get("prefixlen") is not None:
        raise HTTPBadRequest("cidr and prefixlen must not be supplied together")
    return pool


@cache
def _lock_query() -> Query:
    return Query(
        sa.update(SubnetPoolRow.table)
        .where(SubnetPoolRow.c.id == sa.bindparam("w_id"))
        .values(revision=SubnetPoolRow.c.revision)
    )


async def allocate(tx: Transaction, pool: SubnetPoolRow, wish: Mapping[str, Any]) -> str:
    """A prefix of the pool: the one asked for, or the first that is free."""
    await tx.execute(_lock_query(), {"w_id": pool.id})  # two requests for the same pool stand in line here
    taken = [subnet.cidr for subnet in await tx.find(SubnetRow, subnetpool_id=pool.id)]
    prefixes: list[str] = msgspec.json.decode(pool.prefixes)
    asked = wish.get("cidr")
    length = ipam.network_of(asked).prefixlen if asked else wish.get("prefixlen")
    length = pool.default_prefixlen if length is None else length
    _refuse_odd_length(pool, length)
    await _refuse_over_quota(tx, pool, wish["project_id"], length)
    if asked:
        if not contains(prefixes, ipam.network_of(asked)) or overlapping([asked], taken):
            raise SubnetAllocationError(
                f"Failed to allocate subnet: Cannot allocate requested subnet {asked} from the pool's prefixes."
            )
        return str(asked)
    found = first_free(prefixes, taken, length)
    if not found:
        raise SubnetAllocationError(
            f"Failed to allocate subnet: Insufficient prefix space to allocate subnet size /{length}."
        )
    return found


def _refuse_odd_length(pool: SubnetPoolRow, length: int) -> None:
    if length < pool.min_prefixlen:
        raise InvalidInput(
            f"Unable to allocate subnet with prefix length {length}, minimum allowed prefix is {pool.min_prefixlen}.",
            type_name="MinPrefixSubnetAllocationError",
        )
    if length > pool.max_prefixlen:
        raise InvalidInput(
            f"Unable to allocate subnet with prefix length {length}, maximum allowed prefix is {pool.max_prefixlen}.",
            type_name="MaxPrefixSubnetAllocationError",
        )


async def _refuse_over_quota(tx: Transaction, pool: SubnetPoolRow, project_id: str, length: int) -> None:
    """A pool's quota counts addresses in IPv4 and prefixes of 64 bits in IPv6."""
    if pool.default_quota is None:
        return
    whole = 32 if pool.version == 4 else 64
    mine = await tx.find(SubnetRow, subnetpool_id=pool.id, project_id=project_id)
    used = sum(1 << max(0, whole - ipam.network_of(subnet.cidr).prefixlen) for subnet in mine)
    if used + (1 << max(0, whole - length)) > pool.default_quota:
        raise ResourceInUse("Per-tenant subnet pool prefix quota exceeded.", type_name="SubnetPoolQuotaExceeded")
