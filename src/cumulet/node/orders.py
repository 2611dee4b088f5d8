"""The orders in force on this node, as last fetched, and who is to look when one changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from cumulet.contracts.assignments import Assignment, Assignments, Kind
from cumulet.contracts.record import Record
from cumulet.core.bus import Bus

S = TypeVar("S", bound=Record)


class Orders:
    """Every assignment by kind and key. A change wakes the kind's topic on the node's own bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._by_kind: dict[Kind, dict[str, Assignment]] = {kind: {} for kind in Kind}
        self.number = 0

    def take(self, answer: Assignments) -> None:
        """Put newly fetched orders in force."""
        for order in answer.changes:
            self._by_kind[order.kind][order.key] = order
            self._bus.wake(order.kind, order.key)
        self.number = answer.number

    def get(self, kind: Kind, key: str) -> Assignment | None:
        return self._by_kind[kind].get(key)

    def forget(self, order: Assignment) -> None:
        """What was ordered gone is gone, and the control plane knows."""
        if self._by_kind[order.kind].get(order.key) is order:
            del self._by_kind[order.kind][order.key]

    def all(self, kind: Kind) -> Iterator[Assignment]:
        return iter(list(self._by_kind[kind].values()))

    def keys(self, kind: Kind, after: str, limit: int) -> list[str]:
        return sorted(key for key in self._by_kind[kind] if key > after)[:limit]

    def specs(self, kind: Kind, record: type[S]) -> dict[str, S]:
        """The specs of everything of a kind that should be here."""
        return {
            order.key: msgspec.json.decode(order.spec, type=record)
            for order in self._by_kind[kind].values()
            if not order.gone
        }
