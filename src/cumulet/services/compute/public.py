"""Compute's door: the only file that other rooms and programs may import."""

from __future__ import annotations

from cumulet.services.compute.consoles import resolve
from cumulet.services.compute.room import Compute

__all__ = ["ComputeDoor"]


class ComputeDoor:
    """What others may ask of compute. It wakes `server` with a server's id when its wish or its facts changed."""

    def __init__(self, room: Compute) -> None:
        self._room = room

    async def console(self, token: str) -> tuple[str, str, str]:
        """(node, kind of tunnel, machine id) behind a console's token. Raises NotFound."""
        return await resolve(self._room, token)
