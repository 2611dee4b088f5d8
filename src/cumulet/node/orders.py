"""The orders in force on this node, what it was told besides, as last fetched, and who is to look when that changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TypeVar

import msgspec

from cumulet.contracts.assignments import Assignment, Assignments, Kind
from cumulet.contracts.networks import Member, PortSpec
from cumulet.contracts.record import Record
from cumulet.core.bus import Bus

S = TypeVar("S", bound=Record)
_SAID: Mapping[Kind, type[Record]] = {Kind.NETWORK: PortSpec, Kind.GROUP: Member}
"""What is told about each kind of thing."""


class Orders:
    """Every assignment by kind and key. A change wakes the kind's topic on the node's own bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._by_kind: dict[Kind, dict[str, Assignment]] = {kind: {} for kind in Kind}
        self._specs: dict[tuple[Kind, str], tuple[Assignment, Record]] = {}
        self._said: dict[Kind, dict[str, Mapping[str, Record]]] = {kind: {} for kind in _SAID}
        self.number = 0
        self.noticed = 0

    def take(self, answer: Assignments) -> None:
        """Put newly fetched orders in force."""
        for order in answer.changes:
            self._by_kind[order.kind][order.key] = order
            if order.gone:
                self._said.get(order.kind, {}).pop(order.key, None)
            self._bus.wake(order.kind, order.key)
        for notices in answer.notices:
            said = {} if notices.whole else dict(self._said[notices.kind].get(notices.about, {}))
            said |= {key: _read(bytes(text), _SAID[notices.kind]) for key, text in notices.said.items()}
            for key in notices.unsaid:
                said.pop(key, None)
            self._said[notices.kind][notices.about] = said
            self._bus.wake(notices.kind, notices.about)
        self.number, self.noticed = answer.number, answer.noticed

    def get(self, kind: Kind, key: str) -> Assignment | None:
        return self._by_kind[kind].get(key)

    def forget(self, order: Assignment) -> None:
        """What was ordered gone is gone, and the control plane knows."""
        if self._by_kind[order.kind].get(order.key) is order:
            del self._by_kind[order.kind][order.key]
            self._specs.pop((order.kind, order.key), None)

    def all(self, kind: Kind) -> Iterator[Assignment]:
        return iter(list(self._by_kind[kind].values()))

    def keys(self, kind: Kind, after: str, limit: int) -> list[str]:
        return sorted(key for key in self._by_kind[kind] if key > after)[:limit]

    def said(self, kind: Kind, about: str) -> Mapping[str, Record]:
        """What was told about a network or a group. A mapping is never changed: another one takes its place."""
        return self._said[kind].get(about, {})

    def specs(self, kind: Kind, record: type[S]) -> dict[str, S]:
        """The specs of everything of a kind that should be here."""
        return {order.key: self._spec(order, record) for order in self._by_kind[kind].values() if not order.gone}

    def _spec(self, order: Assignment, record: type[S]) -> S:
        """Read once for each order."""
        known = self._specs.get((order.kind, order.key))
        if known is not None and known[0] is order and isinstance(known[1], record):
            return known[1]
        spec = msgspec.json.decode(order.spec, type=record)
        self._specs[order.kind, order.key] = order, spec
        return spec


@lru_cache(maxsize=1 << 14)
def _read(text: bytes, record: type[Record]) -> Record:
    """Where several nodes live in one process, they are told the same."""
    return msgspec.json.decode(text, type=record)
