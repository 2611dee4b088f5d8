"""Compute's door: the only file that other rooms and programs may import."""

from __future__ import annotations

from cumulet.services.compute.consoles import resolve
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.row import ServerRow

__all__ = ["ComputeDoor"]


class ComputeDoor:
    """What others may ask of compute. It wakes `server` with a server's id when its wish or its facts changed."""

    def __init__(self, room: Compute) -> None:
        self._room = room

    async def console(self, token: str) -> tuple[str, str, str]:
        """(node, kind of tunnel, machine id) behind a console's token. Raises NotFound."""
        return await resolve(self._room, token)

    async def server_exists(self, server_id: str) -> bool:
        """Whether a server of this id is there."""
        async with self._room.database.read() as tx:
            row = await tx.get(ServerRow, id=server_id)
        return row is not None and not row.deleted_at
