"""The control plane for a node in the same process, as in simulation: the fleet's own functions, without HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from cumulet.contracts.assignments import Assignments, NodeFacts, Report
from cumulet.contracts.moves import Luggage
from cumulet.core.errors import CloudError
from cumulet.node.control_plane import ControlPlaneSilent
from cumulet.services.fleet import assignments, fetching, luggage, nodes
from cumulet.services.fleet.nodes import NodeRow
from cumulet.services.fleet.room import Fleet


class DirectControlPlane:
    """Fulfils the node's ControlPlane over a fleet room."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self._fleet = fleet
        self._name = name

    async def beat(self, facts: NodeFacts) -> None:
        async with self._fleet.database.read() as tx:
            row = await tx.get(NodeRow, name=self._name)
        if row is None:
            await nodes.admit(self._fleet, facts, secret="")  # no request may be made in its name
            await self.beat(facts)
            return
        await nodes.note_heartbeat(self._fleet, row, facts)

    async def assignments(self, since: int, noticed: int, wait: float) -> Assignments:
        return await fetching.fetch(self._fleet, self._name, since, noticed, wait)

    async def report(self, reports: Sequence[Report]) -> None:
        await assignments.note_reports(self._fleet, self._name, reports)

    async def image(self, image_id: str) -> AsyncIterator[bytes]:
        if self._fleet.image_bytes is None:
            raise RuntimeError("the image room is not connected")
        async for piece in self._fleet.image_bytes(image_id):
            yield piece

    async def luggage(self, machine_id: str) -> Luggage:
        try:
            return await luggage.listed(self._fleet, self._name, machine_id)
        except CloudError as error:
            raise ControlPlaneSilent(error.message) from error

    async def luggage_file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        try:
            async for piece in await luggage.opened(self._fleet, self._name, machine_id, name, offset):
                yield piece
        except CloudError as error:
            raise ControlPlaneSilent(error.message) from error

    async def volume_key(self, volume_id: str) -> str:
        if self._fleet.volume_key is None:
            raise RuntimeError("the block storage room is not connected")
        try:
            return await self._fleet.volume_key(volume_id)
        except CloudError as error:
            raise ControlPlaneSilent(error.message) from error

    async def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        if self._fleet.backup_bytes is None:
            raise RuntimeError("the block storage room is not connected")
        async for piece in _or_silence(self._fleet.backup_bytes(backup_id)):
            yield piece

    async def volume_file(self, volume_id: str) -> AsyncIterator[bytes]:
        if self._fleet.volume_file is None:
            raise RuntimeError("the block storage room is not connected")
        async for piece in _or_silence(self._fleet.volume_file(volume_id)):
            yield piece


async def _or_silence(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Over a wire, too, a node would only see that the answer broke off."""
    try:
        async for piece in stream:
            yield piece
    except Exception as error:
        raise ControlPlaneSilent(f"what was asked for did not come: {error}") from error
