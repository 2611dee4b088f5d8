"""Placement's door: what other rooms may ask of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Query, Row, Transaction
from cumulet.lib.ids import new_uuid
from cumulet.services.placement.below import Ask, Asks, Below, DoesNotFit, Offer, refusals, serve, set_below, set_offers
from cumulet.services.placement.candidates.load import load_world
from cumulet.services.placement.counting import forget_idle, give_back, take
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import (
    AllocationRow,
    ConsumerRow,
    InventoryRow,
    ProviderRow,
    ProviderTraitRow,
)

__all__ = ["Ask", "Asks", "Below", "Held", "HostRoom", "Offer", "PlacementDoor"]

_ROOT = ProviderRow.table.alias("root")


class HostRoom(msgspec.Struct):
    """What a node can hold, and how much of that is given out."""

    node: str
    total: dict[str, int] = msgspec.field(default_factory=dict)
    used: dict[str, int] = msgspec.field(default_factory=dict)
    reserved: dict[str, int] = msgspec.field(default_factory=dict)
    ratio: dict[str, float] = msgspec.field(default_factory=dict)
    most: dict[str, int] = msgspec.field(default_factory=dict)
    """What it gives to one consumer at most."""
    traits: set[str] = msgspec.field(default_factory=set)


class Held(msgspec.Struct):
    """What a consumer holds of one node: of the node itself, and of what stands below it."""

    own: dict[str, int] = msgspec.field(default_factory=dict)
    below: dict[str, int] = msgspec.field(default_factory=dict)


def _of_roots(row: type[Row], *columns: str) -> Query:
    """These columns of what belongs to nodes themselves: below them stand many more providers."""
    chosen = sa.select(*(row.c[name] for name in ("provider_id", *columns)))
    return Query(
        chosen.join(ProviderRow.table, ProviderRow.c.id == row.c.provider_id).where(ProviderRow.c.parent_id == "")
    )


_root_inventories = _of_roots(
    InventoryRow, "resource_class", "total", "used", "reserved", "allocation_ratio", "max_unit"
)
_root_traits = _of_roots(ProviderTraitRow, "name")
_held = Query(
    sa.select(
        _ROOT.c.name, AllocationRow.c.provider_id == _ROOT.c.id, AllocationRow.c.resource_class, AllocationRow.c.used
    )
    .join(ProviderRow.table, ProviderRow.c.id == AllocationRow.c.provider_id)
    .join(_ROOT, _ROOT.c.id == ProviderRow.c.root_id)
    .where(AllocationRow.c.consumer_id == sa.bindparam("consumer"))
)


class PlacementDoor:
    """Claims of servers on nodes. A node's provider has the node's name."""

    def __init__(self, room: Placement) -> None:
        self._room = room

    async def hosts(self) -> list[HostRoom]:
        """Every root provider, with what it offers and has given out."""
        async with self._room.database.read() as tx:
            providers = await tx.find(ProviderRow, parent_id="", order_by="name")
            inventories = await tx.tuples(_root_inventories)
            traits = await tx.tuples(_root_traits)
        rooms = {row.id: HostRoom(row.name) for row in providers}
        for provider_id, name, total, used, reserved, ratio, most in inventories:
            if room := rooms.get(provider_id):
                room.total[name], room.used[name] = total, used
                room.reserved[name], room.ratio[name], room.most[name] = reserved, ratio, most
        for provider_id, name in traits:
            if room := rooms.get(provider_id):
                room.traits.add(name)
        return list(rooms.values())

    async def ensure_provider(self, node: str, inventory: Mapping[str, Offer]) -> str:
        """Make the provider of a node offer just this; its id. What is given out stays given out."""

        async def write(tx: Transaction) -> str:
            now = self._room.clock.now()
            provider = await tx.get(ProviderRow, name=node)
            if provider is None:
                id_ = new_uuid()
                provider = ProviderRow(id_, node, 0, "", id_, now, now)
                await tx.insert(provider)
            await set_offers(tx, provider.id, inventory)
            return provider.id

        return await self._room.database.write(write)

    async def offer_below(self, node: str, providers: Sequence[Below]) -> bool:
        """Let just these stand below a node, parents first. False: there is no such node yet."""

        async def write(tx: Transaction) -> bool:
            root = await tx.get(ProviderRow, name=node)
            if root is not None:
                await set_below(tx, root, providers, self._room.clock.now())
            return root is not None

        return await self._room.database.write(write)

    async def refusals(self, asks: Asks) -> dict[str, str]:
        """For every node, why it cannot serve these; an empty reason where it can."""
        async with self._room.database.read() as tx:
            world = await load_world(tx)
        return refusals(world, asks)

    # ---- holding ---------------------------------------------------------------------------------------------------

    async def claim(
        self,
        consumer_id: str,
        node: str,
        resources: Mapping[str, int],
        *,
        project_id: str,
        user_id: str,
        asks: Asks | None = None,
    ) -> str:
        """Let a consumer hold these of a node; a claim that stands is left as it is. Why it does not fit, or nothing.

        `asks`: what it is to hold below the node; None: whatever it holds there.
        """

        async def write(tx: Transaction) -> None:
            provider = await tx.get(ProviderRow, name=node)
            if provider is None:
                raise DoesNotFit("it offers nothing yet")
            held = await tx.find(AllocationRow, consumer_id=consumer_id, provider_id=provider.id)
            wanted = {name: n for name, n in resources.items() if n}
            if {row.resource_class: row.used for row in held} != wanted:
                await give_back(tx, consumer_id, provider.id)
                await self._introduce(tx, consumer_id, project_id, user_id)
                if lacking := await take(tx, consumer_id, provider.id, wanted):
                    raise DoesNotFit(await _shortage(tx, provider.id, lacking, wanted[lacking]))
            if asks is not None and await serve(tx, consumer_id, provider, asks) is None:
                raise DoesNotFit("it cannot promise what the ports ask for")

        try:
            await self._room.database.write(write)
        except DoesNotFit as error:
            return str(error)
        return ""

    async def serve(
        self, consumer_id: str, node: str, asks: Asks, *, project_id: str, user_id: str
    ) -> dict[str, str] | None:
        """Let a consumer hold just these below a node: which provider serves which ask. None: it does not fit."""

        async def write(tx: Transaction) -> dict[str, str] | None:
            provider = await tx.get(ProviderRow, name=node)
            if provider is None:
                return None
            await self._introduce(tx, consumer_id, project_id, user_id)
            chosen = await serve(tx, consumer_id, provider, asks)
            await forget_idle(tx, consumer_id)
            return chosen

        try:
            return await self._room.database.write(write)
        except DoesNotFit:
            return None

    async def _introduce(
        self, tx: Transaction, consumer_id: str, project_id: str, user_id: str, type: str = ""
    ) -> None:
        if await tx.get(ConsumerRow, id=consumer_id) is None:
            now = self._room.clock.now()
            await tx.insert(ConsumerRow(consumer_id, project_id, user_id, 1, type or "INSTANCE", now, now))

    async def hand(self, giver: str, taker: str, node: str, *, project_id: str, user_id: str, type: str) -> None:
        """What one consumer holds of a node is another's from now on; nothing happens when it holds nothing there."""

        async def write(tx: Transaction) -> None:
            root = await tx.get(ProviderRow, name=node)
            tree = [row.id for row in await tx.find(ProviderRow, root_id=root.id)] if root else []
            held = await tx.find(AllocationRow, consumer_id=giver, provider_id=tree) if tree else []
            if not held:
                return
            for id_ in sorted({row.provider_id for row in held}):
                await give_back(tx, taker, id_)
            await self._introduce(tx, taker, project_id, user_id, type)
            await tx.update(AllocationRow, {"consumer_id": giver, "provider_id": tree}, consumer_id=taker)
            await forget_idle(tx, giver)

        await self._room.database.write(write)

    async def release(self, consumer_id: str, node: str = "") -> None:
        """Give back what a consumer holds of a node and below it, or of all."""

        async def write(tx: Transaction) -> None:
            if not node:
                await give_back(tx, consumer_id)
                return
            root = await tx.get(ProviderRow, name=node)
            for row in await tx.find(ProviderRow, root_id=root.id) if root else ():
                await give_back(tx, consumer_id, row.id)

        await self._room.database.write(write)

    async def claims(self, consumer_id: str) -> dict[str, Held]:
        """What a consumer holds, by node."""
        async with self._room.database.read() as tx:
            rows = await tx.tuples(_held, {"consumer": consumer_id})
        found: dict[str, Held] = {}
        for node, own, name, used in rows:
            held = found.setdefault(node, Held())
            part = held.own if own else held.below
            part[name] = part.get(name, 0) + used
        return found


async def _shortage(tx: Transaction, provider_id: str, resource: str, n: int) -> str:
    """Why so much of a resource cannot be had of a provider."""
    row = await tx.get(InventoryRow, provider_id=provider_id, resource_class=resource)
    if row is None:
        return f"it has no {resource}"
    if not row.min_unit <= n <= row.max_unit or n % row.step_size:
        step = f", in steps of {row.step_size}" if row.step_size > 1 else ""
        return f"it gives {row.min_unit} to {row.max_unit} {resource} at once{step}, not {n}"
    free = int((row.total - row.reserved) * row.allocation_ratio) - row.used
    return f"too little is free ({resource} {n} > {max(0, free)})"
