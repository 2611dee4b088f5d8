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
    waiting: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    """Nodes whose question for new assignments hangs, by name."""

    def __post_init__(self) -> None:
        self.bus.listen("assignments", self._stir)

    def _stir(self, node: str) -> None:
        for event in self.waiting.get(node, ()):
            event.set()
