"""What an arriving machine has on its old node, as the control plane hands it on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from cumulet.contracts.moves import Luggage
from cumulet.drivers.hypervisor.base import OutOfReach
from cumulet.node.control_plane import ControlPlane, ControlPlaneSilent

KeepPassword = Callable[[str, bytes], object]


class HandedOn:
    """The belongings of machines by way of the control plane, which knows both nodes and has both their trust."""

    def __init__(self, control_plane: ControlPlane, keep_password: KeepPassword) -> None:
        """`keep_password` writes down what a guest left on its old node."""
        self._control_plane = control_plane
        self._keep_password = keep_password

    async def luggage(self, machine_id: str) -> Luggage:
        try:
            found = await self._control_plane.luggage(machine_id)
        except ControlPlaneSilent as error:
            raise OutOfReach(str(error)) from error
        if found.password:
            self._keep_password(machine_id, found.password)
        return found

    async def file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        try:
            async for piece in self._control_plane.luggage_file(machine_id, name, offset):
                yield piece
        except ControlPlaneSilent as error:
            raise OutOfReach(str(error)) from error
