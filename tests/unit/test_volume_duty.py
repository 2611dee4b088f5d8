"""What a node does with its orders for volumes, and what it says of them."""

from __future__ import annotations

import msgspec

from cumulet.contracts.assignments import Assignment, Assignments, Kind
from cumulet.contracts.record import Record
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec
from cumulet.core.bus import MemoryBus
from cumulet.core.reconcile import Done
from cumulet.drivers.volume.fake import FakeVolumes, VolumeWorld
from cumulet.node.orders import Orders
from cumulet.node.outbox import Outbox
from cumulet.node.volumes.backends import Backends
from cumulet.node.volumes.duty import VolumeDuty
from tests.support.supplies import Vault

MAPLE = "00000000-1111-4000-8000-000000000000"


class Told(Outbox):
    """Remembers what was said, instead of sending it."""

    def __init__(self) -> None:
        self.said: list[tuple[int, Record]] = []

    def tell(self, order: Assignment, facts: Record) -> None:
        self.said.append((order.generation, facts))


async def test_a_newer_order_with_the_same_text_is_answered() -> None:
    orders, told = Orders(MemoryBus()), Told()
    world = VolumeWorld()
    duty = VolumeDuty(orders, told, Backends({"local": FakeVolumes(world, Vault())}))
    spec = msgspec.Raw(msgspec.json.encode(VolumeSpec(id=MAPLE, size_gib=1)))
    for generation in (1, 3):
        order = Assignment(kind=Kind.VOLUME, key=MAPLE, number=generation, generation=generation, spec=spec)
        orders.take(Assignments(epoch="e", number=generation, complete=False, changes=(order,)))
        assert isinstance(await duty.step(MAPLE), Done)
    first, second = told.said
    assert (first[0], second[0]) == (1, 3)
    assert first[1] == second[1]
    assert isinstance(second[1], VolumeFacts)
    assert second[1].size_gib == 1
