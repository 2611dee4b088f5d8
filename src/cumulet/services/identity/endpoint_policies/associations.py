"""OS-ENDPOINT-POLICY: tying a policy to an endpoint, a service, or a service in a region; and which one holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cumulet.core.db import Row, Transaction
from cumulet.core.errors import NotFound
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Listed
from cumulet.services.identity.catalog.endpoints import endpoints
from cumulet.services.identity.catalog.rows import EndpointRow, RegionRow, ServiceRow
from cumulet.services.identity.endpoint_policies.policies import RULE, policies
from cumulet.services.identity.endpoint_policies.rows import AssociationRow, PolicyRow
from cumulet.services.identity.errors import Missing
from cumulet.services.identity.room import Identity

Handler = Callable[[Identity, Call, PolicyRow], Awaitable[None]]
_BASE = "/OS-ENDPOINT-POLICY"
KINDS = {
    "endpoint": f"{_BASE}/endpoints/{{endpoint_id}}",
    "service": f"{_BASE}/services/{{service_id}}",
    "region_and_service": f"{_BASE}/services/{{service_id}}/regions/{{region_id}}",
}
_TABLES: dict[str, type[Row]] = {"endpoint_id": EndpointRow, "service_id": ServiceRow, "region_id": RegionRow}


async def _place(room: Identity, call: Call) -> dict[str, str]:
    """What a policy is tied to, by the names in the path. Raises Missing for what is not there."""
    async with room.database.read() as tx:
        for name, row in _TABLES.items():
            if name in call.path and not await tx.get(row, id=call.path[name]):
                raise Missing(f"Could not find {name.removesuffix('_id')}: {call.path[name][:64]}.")
    return {name: call.path.get(name, "") for name in _TABLES}


async def tie(room: Identity, call: Call, policy: PolicyRow) -> None:
    place = await _place(room, call)

    async def write(tx: Transaction) -> None:
        await tx.delete(AssociationRow, **place)  # a place follows one policy: the newest
        await tx.insert(AssociationRow(policy_id=policy.id, **place))

    await room.database.write(write)


async def check(room: Identity, call: Call, policy: PolicyRow) -> None:
    place = await _place(room, call)
    async with room.database.read() as tx:
        if not await tx.get(AssociationRow, policy_id=policy.id, **place):
            raise NotFound("The policy is not associated with this.")


async def untie(room: Identity, call: Call, policy: PolicyRow) -> None:
    place = await _place(room, call)

    async def write(tx: Transaction) -> None:
        if not await tx.delete(AssociationRow, policy_id=policy.id, **place):
            raise NotFound("The policy is not associated with this.")

    await room.database.write(write)


for _kind, _suffix in KINDS.items():
    policies.item("PUT", f"{RULE}create_policy_association_for_{_kind}", suffix=_suffix, status=204)(tie)
    policies.item("GET", f"{RULE}check_policy_association_for_{_kind}", suffix=_suffix, status=204)(check)
    policies.item("DELETE", f"{RULE}delete_policy_association_for_{_kind}", suffix=_suffix, status=204)(untie)


async def policy_id_of(tx: Transaction, endpoint: EndpointRow) -> str:
    """The policy an endpoint follows: its own, that of its service in its region or one around it, or its service's."""
    own = await tx.get(AssociationRow, endpoint_id=endpoint.id, service_id="", region_id="")
    if own:
        return own.policy_id
    region_id, seen = endpoint.region_id, set[str]()
    while region_id and region_id not in seen:
        found = await tx.get(AssociationRow, endpoint_id="", service_id=endpoint.service_id, region_id=region_id)
        if found:
            return found.policy_id
        seen.add(region_id)
        region = await tx.get(RegionRow, id=region_id)
        region_id = region.parent_id if region else ""
    of_service = await tx.get(AssociationRow, endpoint_id="", service_id=endpoint.service_id, region_id="")
    return of_service.policy_id if of_service else ""


@endpoints.item("GET", RULE + "get_policy_for_endpoint", suffix=f"{_BASE}/policy")
async def policy_of(room: Identity, call: Call, endpoint: EndpointRow) -> dict[str, Any]:
    async with room.database.read() as tx:
        policy = await tx.get(PolicyRow, id=await policy_id_of(tx, endpoint))
    if policy is None:
        raise NotFound(f"No policy is associated with endpoint {endpoint.id}.")
    return {"policy": policies.show_row(call, policy)}


@policies.item("GET", RULE + "list_endpoints_for_policy", suffix=f"{_BASE}/endpoints")
async def endpoints_of(room: Identity, call: Call, policy: PolicyRow) -> Any:
    async with room.database.read() as tx:
        rows = [row for row in await tx.find(EndpointRow, order_by="id") if await policy_id_of(tx, row) == policy.id]
    return endpoints.present_list(call, Listed(rows))


tied_policies = policies
"""The noun with the verbs of this file."""
