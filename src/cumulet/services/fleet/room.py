"""What the fleet stands on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from cumulet.contracts.asks import Ask
from cumulet.core.room import Room
from cumulet.lib.clock import SECOND
from cumulet.lib.joined import Ends

ALIVE = 30 * SECOND
"""A node that was heard from within this time is alive; it beats every ten seconds."""


class Ear:
    """Of one node that waits for news."""

    def __init__(self) -> None:
        self.ordered = asyncio.Event()
        """There is an order for it."""
        self.heard = asyncio.Event()
        """There is anything for it."""


@dataclass(kw_only=True)
class Fleet(Room):
    """The fleet's room."""

    image_bytes: Callable[[str], AsyncIterator[bytes]] | None = None
    """Where nodes get the bytes of an image from; set when the image room is there."""
    volume_key: Callable[[str], Awaitable[str]] | None = None
    """Where nodes get from what opens an encrypted volume; set when the block storage room is there."""
    volume_file: Callable[[str], AsyncIterator[bytes]] | None = None
    """Where nodes get the file of a volume from that is to arrive on them; set when the block storage room is there."""
    backup_bytes: Callable[[str], AsyncIterator[bytes]] | None = None
    """Where nodes get the content of a backup from; set when the block storage room is there."""
    local_asks: dict[str, Callable[[Ask], Awaitable[bytes]]] = field(default_factory=dict)
    """Nodes of this very process, by their address: asked by a call instead of over a wire."""
    local_tunnels: dict[str, Callable[[Ask], Awaitable[Ends]]] = field(default_factory=dict)
    """Their machines' screens."""
    ears: dict[str, set[Ear]] = field(default_factory=dict)
    """Whose question for news hangs: by the names of nodes, and the ids of what these are told about."""
    told_at: dict[str, float] = field(default_factory=dict)
    """When each node was last told notices, in the event loop's time."""

    def __post_init__(self) -> None:
        self.bus.listen("assignments", self._order)
        self.bus.listen("notices", self._notice)

    def _order(self, node: str) -> None:
        for ear in self.ears.get(node, ()):
            ear.ordered.set()
            ear.heard.set()

    def _notice(self, about: str) -> None:
        for ear in self.ears.get(about, ()):
            ear.heard.set()
