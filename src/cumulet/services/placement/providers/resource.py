"""What a client sees of a resource provider, and sends."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Text, Uuid
from cumulet.services.placement.asking import provider_question
from cumulet.services.placement.candidates.load import load_world
from cumulet.services.placement.providers import operations
from cumulet.services.placement.providers.listing import matching
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import ProviderRow
from cumulet.services.placement.verbs import Verbs, created, modified, place

verbs = Verbs()
RULE = "placement:resource_providers"
TREES_SINCE = version("1.14")
BODIES_SINCE = version("1.20")
LINKS = (
    ("inventories", 0),
    ("usages", 0),
    ("aggregates", version("1.1")),
    ("traits", version("1.6")),
    ("allocations", version("1.11")),
)
NAME = Text(200)
PARENT = Field("parent_provider_uuid", Uuid.or_null(), create=OPTIONAL, since="1.14")
NEW = Body("", [Field("name", NAME, create=REQUIRED), Field("uuid", Uuid, create=OPTIONAL), PARENT])
CHANGED = Body("", [Field("name", NAME, create=REQUIRED), PARENT])


def show(call: Call, row: ProviderRow) -> dict[str, Any]:
    here = place(call, f"/resource_providers/{row.id}")
    links = [{"rel": "self", "href": here}]
    links += [{"rel": rel, "href": f"{here}/{rel}"} for rel, since in LINKS if call.version >= since]
    shown: dict[str, Any] = {"uuid": row.id, "name": row.name, "generation": row.generation, "links": links}
    if call.version >= TREES_SINCE:
        shown["parent_provider_uuid"] = row.parent_id or None
        shown["root_provider_uuid"] = row.root_id
    return shown


@verbs("GET", "/resource_providers", f"{RULE}:list")
async def list_providers(room: Placement, call: Call) -> dict[str, Any]:
    question = provider_question(call)
    async with room.database.read() as tx:
        if question.narrows:
            await question.check_names(tx)
            chosen = matching(question, await load_world(tx))
            rows = await tx.find(ProviderRow, order_by="id", id=sorted(chosen))
        else:
            rows = await tx.find(ProviderRow, order_by="id")
    if rows:
        modified(call, max(row.updated_at for row in rows))
    return {"resource_providers": [show(call, row) for row in rows]}


@verbs("POST", "/resource_providers", f"{RULE}:create", body=NEW)
async def create_provider(room: Placement, call: Call) -> Any:
    row = await operations.create(room, call.wish)
    path = f"/resource_providers/{row.id}"
    if call.version < BODIES_SINCE:
        return created(call, path)
    modified(call, row.updated_at)
    return created(call, path, 200, show(call, row))


@verbs("GET", "/resource_providers/{uuid}", f"{RULE}:show")
async def show_provider(room: Placement, call: Call) -> dict[str, Any]:
    async with room.database.read() as tx:
        row = await operations.find(tx, call.path["uuid"])
    modified(call, row.updated_at)
    return show(call, row)


@verbs("PUT", "/resource_providers/{uuid}", f"{RULE}:update", body=CHANGED)
async def update_provider(room: Placement, call: Call) -> dict[str, Any]:
    row = await operations.change(room, call.path["uuid"], call.wish, call.version)
    modified(call, row.updated_at)
    return show(call, row)


@verbs("DELETE", "/resource_providers/{uuid}", f"{RULE}:delete", status=204)
async def delete_provider(room: Placement, call: Call) -> None:
    await operations.remove(room, call.path["uuid"])
