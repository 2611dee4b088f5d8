"""What a client sees of allocations, and may do with them."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import BadRequest
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.lib.ids import is_uuid
from cumulet.services.placement.allocations import operations
from cumulet.services.placement.allocations.bodies import MANY, ONE, change
from cumulet.services.placement.allocations.operations import held_by
from cumulet.services.placement.providers.operations import find
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import AllocationRow, ConsumerRow, ProviderRow
from cumulet.services.placement.verbs import LONG_BODY, Verbs, modified

verbs = Verbs()
RULE = "placement:allocations"
OWNER_SINCE = version("1.12")
GENERATION_SINCE = version("1.28")
TYPE_SINCE = version("1.38")
UNKNOWN = "unknown"
"""The type of a consumer that was written before there were types."""


@verbs("GET", "/allocations/{consumer}", f"{RULE}:list")
async def list_allocations(room: Placement, call: Call) -> dict[str, Any]:
    id_ = call.path["consumer"]
    async with room.database.read() as tx:
        consumer = await tx.get(ConsumerRow, id=id_)
        held = await held_by(tx, id_)
        ids = sorted({row.provider_id for row in held})
        providers = {row.id: row for row in await tx.find(ProviderRow, id=ids)} if ids else {}
    allocations: dict[str, dict[str, Any]] = {}
    for row in held:
        if provider := providers.get(row.provider_id):
            part = allocations.setdefault(provider.id, {"generation": provider.generation, "resources": {}})
            part["resources"][row.resource_class] = row.used
    shown: dict[str, Any] = {"allocations": allocations}
    if allocations and consumer:
        modified(call, consumer.updated_at)
        if call.version >= OWNER_SINCE:
            shown |= {"project_id": consumer.project_id, "user_id": consumer.user_id}
        if call.version >= GENERATION_SINCE:
            shown["consumer_generation"] = consumer.generation
        if call.version >= TYPE_SINCE:
            shown["consumer_type"] = consumer.type or UNKNOWN
    return shown


@verbs("PUT", "/allocations/{consumer}", f"{RULE}:update", status=204, body=ONE)
async def set_allocations(room: Placement, call: Call) -> None:
    id_ = call.path["consumer"]
    if not is_uuid(id_):
        raise BadRequest(f"The consumer {id_[:64]!r} is not a UUID.")
    await operations.apply(room, {id_: change(call.wish)})


@verbs("POST", "/allocations", f"{RULE}:manage", status=204, body=MANY, since="1.13", limit=LONG_BODY)
async def set_many(room: Placement, call: Call) -> None:
    await operations.apply(room, {id_: change(wish) for id_, wish in call.wish["document"].items()})


@verbs("DELETE", "/allocations/{consumer}", f"{RULE}:delete", status=204)
async def delete_allocations(room: Placement, call: Call) -> None:
    await operations.remove(room, call.path["consumer"])


@verbs("GET", "/resource_providers/{uuid}/allocations", "placement:resource_providers:allocations:list")
async def list_of_provider(room: Placement, call: Call) -> dict[str, Any]:
    async with room.database.read() as tx:
        provider = await find(tx, call.path["uuid"])
        held = await tx.find(AllocationRow, order_by="consumer_id", provider_id=provider.id)
        consumers: dict[str, int] = {}
        if call.version >= GENERATION_SINCE and held:
            rows = await tx.find(ConsumerRow, id=sorted({row.consumer_id for row in held}))
            consumers = {row.id: row.generation for row in rows}
    allocations: dict[str, dict[str, Any]] = {}
    for row in held:
        part = allocations.setdefault(row.consumer_id, {"resources": {}})
        part["resources"][row.resource_class] = row.used
        if row.consumer_id in consumers:
            part["consumer_generation"] = consumers[row.consumer_id]
    return {"allocations": allocations, "resource_provider_generation": provider.generation}
