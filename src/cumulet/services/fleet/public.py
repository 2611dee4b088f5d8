"""The fleet's door: what other rooms may ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from cumulet.contracts.assignments import Kind
from cumulet.contracts.record import Record
from cumulet.services.fleet import asks, assignments, nodes, notices
from cumulet.services.fleet.assignments import Held, Order
from cumulet.services.fleet.errors import NodeSilent
from cumulet.services.fleet.nodes import NodeRow, NodeView
from cumulet.services.fleet.room import Fleet

__all__ = ["FleetDoor", "Held", "NodeSilent", "NodeView", "Order"]


class FleetDoor:
    """Wakes each kind's topic with a thing's key when a node reported something new, and `node` with a node's name."""

    def __init__(self, room: Fleet) -> None:
        self._room = room

    async def nodes(self) -> list[NodeView]:
        return await nodes.nodes(self._room)

    async def node(self, name: str) -> NodeView | None:
        async with self._room.database.read() as tx:
            row = await tx.get(NodeRow, name=name)
        return nodes.view_of(self._room, row) if row else None

    async def known(self, names: Collection[str]) -> set[str]:
        """Those of these names that are names of nodes."""
        return await nodes.known(self._room, names)

    async def set_disabled(self, name: str, disabled: bool, reason: str = "") -> None:
        await nodes.set_disabled(self._room, name, disabled, reason)

    async def set_forced_down(self, name: str, forced_down: bool) -> None:
        await nodes.set_forced_down(self._room, name, forced_down)

    async def set_zone(self, name: str, zone: str) -> None:
        await nodes.set_zone(self._room, name, zone)

    async def assign(self, node: str, kind: Kind, key: str, spec: Record, generation: int) -> None:
        """Order a node to hold this. Saying it again costs nothing."""
        await assignments.assign(self._room, [Order(node, kind, key, spec, generation)])

    async def assign_all(self, orders: Sequence[tuple[str, Kind, str, Record, int]]) -> None:
        await assignments.assign(self._room, [Order(*order) for order in orders])

    async def announce(self, key: str, said: Mapping[tuple[Kind, str], Record]) -> None:
        """Under this key, tell all nodes that hold these networks and groups just this about them."""
        await notices.announce(self._room, key, said)

    async def hush(self, kind: Kind, about: str) -> None:
        """Tell nothing any more about a network or group that no node is to hold."""
        await notices.hush(self._room, (kind, about))

    async def withdraw(self, node: str, kind: Kind, key: str) -> None:
        """Order a node to destroy this; the order stands until the node has acknowledged it."""
        await assignments.withdraw(self._room, node, kind, key)

    async def forget(self, node: str, kind: Kind, key: str) -> None:
        """Drop an order to a node that was declared dead."""
        await assignments.forget(self._room, node, kind, key)

    async def held(self, kind: Kind, key: str) -> list[Held]:
        """Every node that holds this or was ordered to let go of it and has not yet said so."""
        return (await assignments.held(self._room, kind, [key]))[key]

    async def held_many(self, kind: Kind, keys: Sequence[str]) -> dict[str, list[Held]]:
        return await assignments.held(self._room, kind, keys)

    async def ask(self, node: str, what: str, secrets: Mapping[str, str] | None = None, /, **parameters: str) -> bytes:
        """A short question, its secrets hidden from all but the node. Raises NodeSilent naming the node, or the node's
        own refusal."""
        return await asks.ask(self._room, node, what, secrets, **parameters)

    def stream(self, node: str, what: str, **parameters: str) -> AsyncIterator[bytes]:
        """A long answer, such as a copy of a disk, piece by piece."""
        return asks.stream(self._room, node, what, **parameters)

    async def seal(self, node: str, what: str, valid_until: int, **parameters: str) -> str:
        """A question to a node that another node may put, to show that the control plane allows it."""
        return await asks.sealed(self._room, node, what, valid_until, **parameters)

    @asynccontextmanager
    async def tunnel(
        self, node: str, what: str, **parameters: str
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A byte tunnel to a machine's screen or serial line."""
        async with asks.tunnel(self._room, node, what, **parameters) as (reader, writer, _):
            yield reader, writer
