"""How the processes of the simulated cloud reach each other: whoever is dead answers nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cumulet.contracts.asks import opened_by
from cumulet.contracts.assignments import Assignments, NodeFacts, Report
from cumulet.contracts.machines import VolumeConnection
from cumulet.contracts.moves import Departure, Luggage
from cumulet.drivers.hypervisor.base import OutOfReach
from cumulet.node.control_plane import ControlPlaneSilent
from cumulet.programs.direct import DirectControlPlane
from cumulet.programs.simulate import World
from tests.support.stone import Killed

if TYPE_CHECKING:
    from tests.sim.processes import ApiProcess, NodeProcess


class Rack:
    """From node to node."""

    def __init__(self, nodes: Mapping[str, NodeProcess]) -> None:
        self._nodes = nodes

    async def carry(self, departure: Departure, memory: bytes) -> None:
        node, asked = self._nodes[departure.address.removeprefix("local:")], opened_by(departure.memory_pass)
        if node.stone.dead:
            raise OutOfReach("nobody listens")
        try:
            await node.hypervisor.take_over(asked.parameters["machine"], memory)
        except Killed as end:
            raise OutOfReach("the connection was lost") from end

    async def reach(self, connection: VolumeConnection) -> None:
        """What offers volumes and what reaches them lives on when their agents are dead."""
        if not self._nodes[connection.host].world.volumes.worlds[connection.backend].lets_in(connection):
            raise OutOfReach("nobody offers it")

    async def copy(self, here: World, source: VolumeConnection, target: VolumeConnection) -> None:
        """What a machine of a world does with a volume that is to be elsewhere."""
        places = [self._nodes[one.host].world if one.host else here for one in (source, target)]
        worlds = [place.volumes.worlds[one.backend] for place, one in zip(places, (source, target), strict=True)]
        worlds[1].held_in(target.volume_id).content = worlds[0].held_in(source.volume_id).content


class ControlWire:
    """The control plane as a node meets it: silent while the API process is dead."""

    def __init__(self, api: Sequence[ApiProcess], name: str) -> None:
        self._api = api
        self._name = name

    async def _ask(self, verb: str, *arguments: Any) -> Any:
        process = self._api[-1]
        if process.stone.dead:
            raise ControlPlaneSilent("nobody listens")
        try:
            return await getattr(DirectControlPlane(process.cloud.fleet, self._name), verb)(*arguments)
        except Killed as end:
            raise ControlPlaneSilent("the connection was lost") from end

    async def beat(self, facts: NodeFacts) -> None:
        await self._ask("beat", facts)

    async def assignments(self, since: int, noticed: int, wait: float) -> Assignments:
        process = self._api[-1]
        hanging = asyncio.ensure_future(self._ask("assignments", since, noticed, wait))
        process.hanging.add(hanging)
        try:
            answer: Assignments = await hanging
        except asyncio.CancelledError:
            if process.stone.dead:
                raise ControlPlaneSilent("the connection was lost") from None
            raise
        finally:
            process.hanging.discard(hanging)
        return answer

    async def report(self, reports: Sequence[Report]) -> None:
        await self._ask("report", reports)

    async def image(self, image_id: str) -> AsyncIterator[bytes]:
        raise ControlPlaneSilent("the fake hypervisor needs no bytes")
        yield b""

    async def volume_key(self, volume_id: str) -> str:
        return str(await self._ask("volume_key", volume_id))

    def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        return self._stream("backup", backup_id)

    def volume_file(self, volume_id: str) -> AsyncIterator[bytes]:
        return self._stream("volume_file", volume_id)

    async def _stream(self, verb: str, key: str) -> AsyncIterator[bytes]:
        process = self._api[-1]
        if process.stone.dead:
            raise ControlPlaneSilent("nobody listens")
        try:
            async for piece in getattr(DirectControlPlane(process.cloud.fleet, self._name), verb)(key):
                yield piece
        except Killed as end:
            raise ControlPlaneSilent("the connection was lost") from end

    async def luggage(self, machine_id: str) -> Luggage:
        found: Luggage = await self._ask("luggage", machine_id)
        return found

    async def luggage_file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        process = self._api[-1]
        if process.stone.dead:
            raise ControlPlaneSilent("nobody listens")
        try:
            async for piece in DirectControlPlane(process.cloud.fleet, self._name).luggage_file(
                machine_id, name, offset
            ):
                yield piece
        except Killed as end:
            raise ControlPlaneSilent("the connection was lost") from end
