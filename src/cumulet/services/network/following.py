"""What the reconcilers of this service share: who carries a network, which keys are unsettled, letting go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import ElementFacts
from cumulet.core.db import Query, Row, Transaction
from cumulet.services.fleet.public import Held
from cumulet.services.network.networks.row import NetworkHostRow
from cumulet.services.network.ports.row import OF_ROUTERS, BindingRow, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.row import RouterHostRow
from cumulet.services.network.stirring import DepartureRow

TEXT_ONLY = 1
"""The generation of orders of which nobody waits for a certain one to be carried out: they change with their text."""
REST_SECONDS = 0.5
"""So long a network or a group rests between two looks, since each asks about all nodes that have to do with it."""


@cache
def _hosts_query() -> Query:
    c = PortRow.c
    network = sa.bindparam("network", type_=sa.String)
    here = c.network_id == network
    living = sa.select(c.host).where(here, c.host != "")
    prepared = sa.select(BindingRow.c.host).join(PortRow.table, c.id == BindingRow.c.port_id).where(here)
    holding = (
        sa.select(RouterHostRow.c.host)
        .join(PortRow.table, c.device_id == RouterHostRow.c.router_id)
        .where(here, c.device_owner.in_(OF_ROUTERS))
    )
    given = sa.select(NetworkHostRow.c.host).where(NetworkHostRow.c.network_id == network)
    return Query(sa.union(living, prepared, holding, given))


async def hosts_of(tx: Transaction, network_id: str) -> set[str]:
    """The nodes that must carry a network: it has ports there, or is about to, or a router's legs may come to run, or
    it was given to them."""
    return {host for (host,) in await tx.tuples(_hosts_query(), {"network": network_id})}


def facts_of(held: Held) -> ElementFacts | None:
    """What a node last said of an element; None while it has said nothing."""
    if not held.observed or held.gone:
        return None
    return msgspec.json.decode(held.facts, type=ElementFacts)


def is_up(helds: Iterable[Held], host: str) -> bool:
    """Does this node say that the element is in force?"""
    facts = [facts_of(held) for held in helds if held.node == host]
    return any(fact is not None and fact.up for fact in facts)


def in_force_on(helds: Iterable[Held], generation: int) -> set[str]:
    """The nodes that say that the element is in force as it is wished now."""
    said = {held.node: facts_of(held) for held in helds if held.observed == generation}
    return {node for node, facts in said.items() if facts is not None and facts.digest}


async def withdraw_beyond(room: Network, kind: Kind, key: str, helds: Iterable[Held], wanted: Collection[str]) -> None:
    """Order the nodes that hold something and should not to let go of it."""
    for held in helds:
        if held.node not in wanted and not held.gone:
            await room.fleet.withdraw(held.node, kind, key)


async def let_go(room: Network, kind: Kind, key: str) -> None:
    """A row is gone: order every node to let go, then forget that it was there."""
    await withdraw_beyond(room, kind, key, await room.fleet.held(kind, key), ())
    await room.database.write(lambda tx: tx.delete(DepartureRow, kind=str(kind), id=key))


@cache
def _page_query(row: type[Row], only_unsettled: bool) -> Query:
    statement = sa.select(row.c.id).where(row.c.id > sa.bindparam("after", type_=sa.String))
    if only_unsettled:
        statement = statement.where(row.c.unsettled == sa.true())
    return Query(statement.order_by(row.c.id).limit(sa.bindparam("page", type_=sa.Integer)))


@cache
def _departures_query() -> Query:
    c = DepartureRow.c
    return Query(
        sa.select(c.id)
        .where(c.kind == sa.bindparam("kind", type_=sa.String), c.id > sa.bindparam("after", type_=sa.String))
        .order_by(c.id)
        .limit(sa.bindparam("page", type_=sa.Integer))
    )


async def _keys_of(
    room: Network, row: type[Row], kind: Kind, after: str, limit: int, *, only_unsettled: bool
) -> Sequence[str]:
    """A page of keys of a noun and of what departed, in order."""
    values = {"after": after, "page": limit}
    async with room.database.read() as tx:
        living = await tx.tuples(_page_query(row, only_unsettled), values)
        departed = await tx.tuples(_departures_query(), {**values, "kind": str(kind)})
    return sorted({id for (id,) in [*living, *departed]})[:limit]


class Following:
    """A reconciler of this service: its keys are the rows of a noun, and what of it has departed."""

    topic: str
    also: tuple[str, ...] = ()
    row: type[Row]

    def __init__(self, room: Network) -> None:
        self._room = room

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        return await _keys_of(self._room, self.row, Kind(self.topic), after, limit, only_unsettled=True)

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return await _keys_of(self._room, self.row, Kind(self.topic), after, limit, only_unsettled=False)
