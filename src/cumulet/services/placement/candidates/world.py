"""All providers as the search sees them: plain values, no database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cumulet.services.placement.names import SHARES


@dataclass(frozen=True)
class Stock:
    """How much of one resource a provider offers, and how much of it is given out."""

    total: int
    used: int = 0
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = 2**31 - 1
    step_size: int = 1
    ratio: float = 1.0

    @property
    def capacity(self) -> int:
        return min(int((self.total - self.reserved) * self.ratio), 2**63 - 1)

    def holds(self, n: int) -> bool:
        """Is there room for this much, whoever asks?"""
        return self.used + n <= self.capacity and n <= self.max_unit

    def gives(self, n: int) -> bool:
        """Could one consumer get just this much?"""
        return self.holds(n) and n >= self.min_unit and n % self.step_size == 0


@dataclass
class Provider:
    """One provider with all that a choice depends on."""

    id: str
    name: str = ""
    parent: str = ""
    root: str = ""
    stock: dict[str, Stock] = field(default_factory=dict)
    traits: set[str] = field(default_factory=set)
    aggregates: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.root = self.root or self.id

    def fits(self, resource: str, n: int) -> bool:
        stock = self.stock.get(resource)
        return stock is not None and stock.gives(n)


class World:
    """Every provider, by id and by tree."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self.providers = {one.id: one for one in providers}
        self.trees: dict[str, list[Provider]] = {}
        for one in self.providers.values():
            self.trees.setdefault(one.root, []).append(one)
        self.sharing = [one for one in self.providers.values() if SHARES in one.traits]

    def root_of(self, id_: str) -> str:
        """The root of a provider's tree; empty when there is no such provider."""
        one = self.providers.get(id_)
        return one.root if one else ""

    def lineage(self, id_: str) -> set[str]:
        """A provider and everything above it."""
        found: set[str] = set()
        while id_ and id_ not in found:
            found.add(id_)
            one = self.providers.get(id_)
            id_ = one.parent if one else ""
        return found
