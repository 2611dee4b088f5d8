"""What an arriving machine has on its old node, as the control plane hands it on."""

from __future__ import annotations

from collections.abc import AsyncIterator

from cumulet.contracts.moves import Luggage
from cumulet.drivers.hypervisor.base import OutOfReach
from cumulet.node.control_plane import ControlPlane, ControlPlaneSilent


class HandedOn:
    """The belongings of machines by way of the control plane, which knows both nodes and has both their trust."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane

    async def luggage(self, machine_id: str) -> Luggage:
        try:
            return await self._control_plane.luggage(machine_id)
        except ControlPlaneSilent as error:
            raise OutOfReach(str(error)) from error

    async def file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        try:
            async for piece in self._control_plane.luggage_file(machine_id, name, offset):
                yield piece
        except ControlPlaneSilent as error:
            raise OutOfReach(str(error)) from error
