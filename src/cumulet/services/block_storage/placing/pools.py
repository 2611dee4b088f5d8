"""A pool and a wish for a volume, as the choice sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A pool that might take the volume."""

    name: str
    """`HOST@BACKEND#POOL`."""
    nodes: frozenset[str]
    """The nodes that have it."""
    zones: frozenset[str]
    alive: bool = True
    disabled: bool = False
    fault: str = ""
    """Why it cannot be used now."""
    total_gib: int = 0
    free_gib: int = 0
    given_out_gib: int = 0
    """What its volumes were promised."""
    volumes: int = 0
    reserved_percentage: int = 0
    ratio: float = 1.0
    """How many times its room may be promised."""
    lacks: frozenset[str] = frozenset()
    """What its volumes cannot."""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    """What it says of itself, under the names that volume types ask for."""
    filter_function: str = ""
    goodness_function: str = ""

    @property
    def promisable_gib(self) -> float:
        """What may be promised still; and no single volume may be larger than what is really free."""
        usable = 1 - self.reserved_percentage / 100
        within_promises = self.total_gib * usable * self.ratio - self.given_out_gib
        really = (self.free_gib - self.total_gib * (1 - usable)) * self.ratio
        return max(0.0, min(within_promises, really))


@dataclass(frozen=True, kw_only=True)
class Request:
    """The volume that looks for a place."""

    size: int
    zone: str = ""
    """Empty: any."""
    specs: Mapping[str, str] = field(default_factory=dict)
    """Extra specs of its type."""
    needs: frozenset[str] = frozenset()
    """What the volume must be able to, in the words of `lacks`."""
    source: str = ""
    """The pool where what it is made of lies, which alone can copy it."""
    here: str = ""
    """The pool where it lies already, and takes room."""
    only: str = ""
    """The pool that was named for it."""
    beside: frozenset[str] = frozenset()
    """Pools of the volumes that it should share a pool with."""
    apart: frozenset[str] = frozenset()
    """Pools of the volumes that it should not share a pool with."""
    near: str | None = None
    """The node of the server that it should be near; empty: no node has that server."""
    tried: Mapping[str, str] = field(default_factory=dict)
    """Pools where making it failed, and why."""
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What expressions of operators may ask of it: `volume`, `extra`, `qos`."""
