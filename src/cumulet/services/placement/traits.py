"""Traits: the qualities that providers have. The standard ones are names every cloud knows; `CUSTOM_…` are its own."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.wire import ListOf, StrictInt, Text
from cumulet.services.placement.counting import advance
from cumulet.services.placement.errors import BadQuery, StandardName, TraitInUse, TraitNotFound
from cumulet.services.placement.names import FORM, check_traits, is_custom, standard_traits
from cumulet.services.placement.providers.operations import find
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import ProviderRow, ProviderTraitRow, TraitRow
from cumulet.services.placement.verbs import Verbs, created, known_only, modified

verbs = Verbs()
RULE = "placement:traits"
OF_PROVIDER = "/resource_providers/{uuid}/traits"
OF_PROVIDER_RULE = "placement:resource_providers:traits"
CHOSEN = Body(
    "",
    [
        Field("traits", ListOf(Text(255, 1, FORM), most=1000, unique=True), create=REQUIRED),
        Field("resource_provider_generation", StrictInt(), create=REQUIRED),
    ],
)


@verbs("GET", "/traits", f"{RULE}:list", since="1.6")
async def list_traits(room: Placement, call: Call) -> dict[str, Any]:
    known_only(call, "name", "associated")
    async with room.database.read() as tx:
        names = {row.name for row in await tx.find(TraitRow)} | standard_traits()
        associated = call.request.one("associated")
        if associated is not None:
            had = {row.name for row in await tx.find(ProviderTraitRow)}
            names = names & had if _flag(associated) else names - had
    asked = call.request.one("name")
    if asked is not None:
        names = _named(names, asked)
    return {"traits": sorted(names)}


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise BadQuery(f"The query parameter 'associated' only accepts 'true' or 'false', not {text[:40]!r}")
    return text.lower() == "true"


def _named(names: set[str], asked: str) -> set[str]:
    how, separator, what = asked.partition(":")
    if separator and how == "in":
        return names & set(what.split(","))
    if separator and how == "startswith":
        return {name for name in names if name.startswith(what)}
    raise BadQuery("Badly formatted name parameter. Expected 'in:TRAIT,TRAIT' or 'startswith:PREFIX'.")


@verbs("GET", "/traits/{name}", f"{RULE}:show", since="1.6")
async def show_trait(room: Placement, call: Call) -> Response:
    async with room.database.read() as tx:
        row = await _find(tx, call.path["name"])
    modified(call, row.created_at if row else room.clock.now())
    return Response(204)


@verbs("PUT", "/traits/{name}", f"{RULE}:update", since="1.6")
async def put_trait(room: Placement, call: Call) -> Response:
    name = call.path["name"]
    if not is_custom(name):
        raise StandardName(
            f"The trait {name[:255]!r} is invalid: a name of one's own starts with CUSTOM_ and goes on in A-Z, 0-9, _."
        )

    async def write(tx: Transaction) -> bool:
        if await tx.get(TraitRow, name=name):
            return False
        await tx.insert(TraitRow(name, room.clock.now()))
        return True

    try:
        new = await room.database.write(write)
    except Duplicate:
        new = False
    return created(call, f"/traits/{name}", 201 if new else 204)


@verbs("DELETE", "/traits/{name}", f"{RULE}:delete", status=204, since="1.6")
async def delete_trait(room: Placement, call: Call) -> None:
    name = call.path["name"]

    async def write(tx: Transaction) -> None:
        if await _find(tx, name) is None:
            raise StandardName(f"Cannot delete standard trait {name}.")
        if await tx.count(ProviderTraitRow, name=name):
            raise TraitInUse(f"The trait {name} is in use by a resource provider.")
        await tx.delete(TraitRow, name=name)

    await room.database.write(write)


async def _find(tx: Transaction, name: str) -> TraitRow | None:
    """The row of an operator's trait, None for a standard one. Raises TraitNotFound."""
    row = await tx.get(TraitRow, name=name) if is_custom(name) else None
    if row is None and name not in standard_traits():
        raise TraitNotFound(f"No such trait(s): {name[:255]}.")
    return row


# ---- the traits of a provider --------------------------------------------------------------------------------------


@verbs("GET", OF_PROVIDER, f"{OF_PROVIDER_RULE}:list", since="1.6")
async def list_provider_traits(room: Placement, call: Call) -> dict[str, Any]:
    async with room.database.read() as tx:
        return await _shown(tx, await find(tx, call.path["uuid"]))


@verbs("PUT", OF_PROVIDER, f"{OF_PROVIDER_RULE}:update", body=CHOSEN, since="1.6")
async def set_provider_traits(room: Placement, call: Call) -> dict[str, Any]:
    names = call.wish["traits"]

    async def write(tx: Transaction) -> dict[str, Any]:
        provider = await find(tx, call.path["uuid"])
        await check_traits(tx, set(names))
        provider.generation = await advance(tx, provider.id, call.wish["resource_provider_generation"])
        await tx.delete(ProviderTraitRow, provider_id=provider.id)
        await tx.insert_all(ProviderTraitRow(provider.id, name) for name in names)
        return await _shown(tx, provider)

    return await room.database.write(write)


@verbs("DELETE", OF_PROVIDER, f"{OF_PROVIDER_RULE}:delete", status=204, since="1.6")
async def delete_provider_traits(room: Placement, call: Call) -> None:
    async def write(tx: Transaction) -> None:
        provider = await find(tx, call.path["uuid"])
        await advance(tx, provider.id, provider.generation)
        await tx.delete(ProviderTraitRow, provider_id=provider.id)

    await room.database.write(write)


async def _shown(tx: Transaction, provider: ProviderRow) -> dict[str, Any]:
    rows = await tx.find(ProviderTraitRow, order_by="name", provider_id=provider.id)
    return {"traits": [row.name for row in rows], "resource_provider_generation": provider.generation}
