"""The aggregates that a provider belongs to: ids that its operator chose, known by nothing but their members."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.core.web.wire import ListOf, StrictInt, Uuid
from cumulet.services.placement.counting import advance
from cumulet.services.placement.providers.operations import find
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import ProviderAggregateRow, ProviderRow
from cumulet.services.placement.verbs import Document, Verbs

verbs = Verbs()
RULE = "placement:resource_providers:aggregates"
PATH = "/resource_providers/{uuid}/aggregates"
GENERATION_SINCE = version("1.19")
IDS = ListOf(Uuid, most=500, unique=True)
BARE = Document(IDS)
GUARDED = Body(
    "",
    [Field("aggregates", IDS, create=REQUIRED), Field("resource_provider_generation", StrictInt(), create=REQUIRED)],
)


@verbs("GET", PATH, f"{RULE}:list", since="1.1")
async def list_aggregates(room: Placement, call: Call) -> dict[str, Any]:
    async with room.database.read() as tx:
        provider = await find(tx, call.path["uuid"])
        return await _shown(tx, call, provider)


@verbs("PUT", PATH, f"{RULE}:update", body=BARE, since="1.1", until="1.18")
async def set_aggregates(room: Placement, call: Call) -> dict[str, Any]:
    return await _set(room, call, call.wish["document"], None)


@verbs("PUT", PATH, f"{RULE}:update", body=GUARDED, since="1.19")
async def set_aggregates_of_generation(room: Placement, call: Call) -> dict[str, Any]:
    return await _set(room, call, call.wish["aggregates"], call.wish["resource_provider_generation"])


async def _set(room: Placement, call: Call, ids: list[str], seen: int | None) -> dict[str, Any]:
    async def write(tx: Transaction) -> dict[str, Any]:
        provider = await find(tx, call.path["uuid"])
        if seen is not None:
            provider.generation = await advance(tx, provider.id, seen)
        await tx.delete(ProviderAggregateRow, provider_id=provider.id)
        await tx.insert_all(ProviderAggregateRow(provider.id, id_) for id_ in ids)
        return await _shown(tx, call, provider)

    return await room.database.write(write)


async def _shown(tx: Transaction, call: Call, provider: ProviderRow) -> dict[str, Any]:
    rows = await tx.find(ProviderAggregateRow, order_by="aggregate_id", provider_id=provider.id)
    shown: dict[str, Any] = {"aggregates": [row.aggregate_id for row in rows]}
    if call.version >= GENERATION_SINCE:
        shown["resource_provider_generation"] = provider.generation
    return shown
