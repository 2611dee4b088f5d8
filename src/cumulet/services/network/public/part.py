"""What the parts of the door have in common: the room that they open."""

from __future__ import annotations

from cumulet.services.network.room import Network


class Part:
    """A part of the door."""

    def __init__(self, room: Network) -> None:
        self._room = room
