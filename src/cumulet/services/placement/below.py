"""What stands below a node's provider: what its wires and its networking can promise, and who holds shares of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.placement.asking import Group, TraitWish
from cumulet.services.placement.candidates.load import load_world
from cumulet.services.placement.candidates.search import Request, candidates
from cumulet.services.placement.candidates.world import Provider, World
from cumulet.services.placement.counting import touch, trade
from cumulet.services.placement.names import is_custom
from cumulet.services.placement.rows import (
    AllocationRow,
    InventoryRow,
    ProviderRow,
    ProviderTraitRow,
    TraitRow,
)


class Offer(msgspec.Struct, frozen=True):
    """How much of one resource is offered; to be given out in any portion, unless it says otherwise."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = 2**31 - 1
    step_size: int = 1
    allocation_ratio: float = 1.0


class Below(msgspec.Struct, frozen=True):
    """A provider below a node's."""

    id: str
    name: str
    offers: Mapping[str, Offer]
    traits: frozenset[str]
    parent: str = ""
    """Its parent's id; empty: the node itself."""


class Ask(msgspec.Struct, frozen=True):
    """What one provider is to give."""

    id: str
    resources: dict[str, int]
    traits: frozenset[str] = frozenset()
    provider: str = ""
    """This one alone; empty: whichever can."""


class Asks(msgspec.Struct, frozen=True):
    """What a server's ports are to be given, by one node."""

    asks: tuple[Ask, ...] = ()
    together: tuple[frozenset[str], ...] = ()
    """Ids of asks whose providers must stand below one of them."""
    isolate: bool = False
    """No two of the same provider."""

    @property
    def total(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for ask in self.asks:
            for name, n in ask.resources.items():
                found[name] = found.get(name, 0) + n
        return found


class DoesNotFit(Exception):
    """Undoes the transaction of a claim; its text says why."""


# ---- offered -------------------------------------------------------------------------------------------------------


async def set_offers(tx: Transaction, provider_id: str, inventory: Mapping[str, Offer]) -> None:
    """Let a provider offer these. What is given out stays given out."""
    known = {row.resource_class: row for row in await tx.find(InventoryRow, provider_id=provider_id)}
    changed = False
    for name, offer in inventory.items():
        terms = msgspec.structs.asdict(offer)
        row = known.get(name)
        if row is None:
            await tx.insert(InventoryRow(provider_id, name, **terms))
        elif all(getattr(row, key) == value for key, value in terms.items()):
            continue
        else:
            await tx.update(InventoryRow, {"provider_id": provider_id, "resource_class": name}, **terms)
        changed = True
    if changed:
        await touch(tx, provider_id)


async def set_below(tx: Transaction, root: ProviderRow, wanted: Sequence[Below], now: int) -> None:
    """Let just these stand below a node, parents first. Those that were here and are not wanted give no more; what is
    held of them stays held."""
    rows = {row.id: row for row in await tx.find(ProviderRow, root_id=root.id)}
    for one in wanted:
        if one.id not in rows:
            await tx.insert(ProviderRow(one.id, one.name, 0, one.parent or root.id, root.id, now, now))
        await set_offers(tx, one.id, one.offers)
        await _end_offers(tx, one.id, keep=set(one.offers))
        await _set_traits(tx, one.id, one.traits, now)
    kept = {one.id for one in wanted}
    for row in rows.values():
        # An operator may have put others below the node; ours are named after it.
        if row.id not in kept and row.name.startswith(f"{root.name}:"):
            await _end_offers(tx, row.id, keep=set())


async def _end_offers(tx: Transaction, provider_id: str, keep: set[str]) -> None:
    changed = False
    for row in await tx.find(InventoryRow, provider_id=provider_id):
        key = {"provider_id": provider_id, "resource_class": row.resource_class}
        if row.resource_class in keep:
            continue
        # Deleting only what nobody holds leaves no moment for a claim in between.
        if not await tx.delete(InventoryRow, **key, used=0) and row.reserved != row.total:
            await tx.update(InventoryRow, key, reserved=row.total)
        changed = True
    if changed:
        await touch(tx, provider_id)


async def _set_traits(tx: Transaction, provider_id: str, traits: frozenset[str], now: int) -> None:
    has = {row.name for row in await tx.find(ProviderTraitRow, provider_id=provider_id)}
    for name in sorted(traits - has):
        if is_custom(name) and not await tx.get(TraitRow, name=name):
            await tx.insert(TraitRow(name, now))
        await tx.insert(ProviderTraitRow(provider_id, name))
    if traits - has:
        await touch(tx, provider_id)


# ---- held ----------------------------------------------------------------------------------------------------------


async def serve(tx: Transaction, consumer_id: str, root: ProviderRow, asks: Asks) -> dict[str, str] | None:
    """Let a consumer hold just these below a node: ask → provider. None: it does not fit, and nothing was changed."""
    held: dict[str, dict[str, int]] = {}
    tree = {row.id for row in await tx.find(ProviderRow, root_id=root.id)} - {root.id}
    for row in await tx.find(AllocationRow, consumer_id=consumer_id, provider_id=sorted(tree)) if tree else ():
        held.setdefault(row.provider_id, {})[row.resource_class] = row.used
    wanted: dict[str, dict[str, int]] = {}
    chosen: dict[str, str] = {}
    if asks.asks:
        world = _given_back(await load_tree(tx, root.id), held)
        found = candidates(world, _request(asks))
        if not found:
            return None
        wanted = found[0].allocations
        chosen = {id_: providers[0] for id_, providers in found[0].mappings.items()}
    if wanted != held and await trade(tx, consumer_id, set(held), wanted):
        raise DoesNotFit("somebody took what the ports ask for at this moment")
    return chosen


def refusals(world: World, asks: Asks) -> dict[str, str]:
    """Why a node cannot serve these; every node that can has an empty reason."""
    found = {}
    for root, tree in world.trees.items():
        top = world.providers.get(root)
        if top is not None:
            found[top.name] = "" if candidates(World(tree), _request(asks)) else _reason(tree, asks)
    return found


def _request(asks: Asks) -> Request:
    groups = {
        ask.id: Group(resources=ask.resources, traits=TraitWish(required=ask.traits), provider=ask.provider)
        for ask in asks.asks
    }
    return Request(groups=groups, isolate=asks.isolate, limit=1, subtrees=asks.together)


def _reason(tree: Sequence[Provider], asks: Asks) -> str:
    for ask in asks.asks:
        able = [one for one in tree if ask.traits <= one.traits and ask.provider in ("", one.id)]
        what = ", ".join(f"{name} {n}" for name, n in sorted(ask.resources.items()))
        if not any(all(one.fits(name, n) for name, n in ask.resources.items()) for one in able):
            return f"nothing of it with {', '.join(sorted(ask.traits))} has {what} left"
    return "what its ports ask for does not fit together"


def _given_back(world: World, held: Mapping[str, Mapping[str, int]]) -> World:
    """As it would be without what somebody holds."""
    for id_, units in held.items():
        one = world.providers.get(id_)
        for name, n in units.items() if one else ():
            if one and name in one.stock:
                one.stock[name] = replace(one.stock[name], used=one.stock[name].used - n)
    return world


async def load_tree(tx: Transaction, root_id: str) -> World:
    ids = sorted(row.id for row in await tx.find(ProviderRow, root_id=root_id))
    return await load_world(tx, ids)
