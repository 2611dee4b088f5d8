"""How the suites order real machines and look at them."""

from __future__ import annotations

import msgspec

from cumulet.contracts.machines import MachineFacts, MachineSpec
from cumulet.contracts.record import digest_of
from cumulet.drivers.hypervisor.qemu.journal import Folder
from cumulet.lib.qmp import Monitor
from tests.support.hypervisors.qemu import QemuWorld
from tests.support.hypervisors.worlds import machine

change = msgspec.structs.replace


async def as_ordered(world: QemuWorld, spec: MachineSpec) -> MachineFacts:
    facts = await world.door.ensure(spec)
    assert facts.fault is None
    assert facts.digest == digest_of(spec)
    return facts


async def running(world: QemuWorld, **changes: object) -> MachineSpec:
    spec = machine(world, **changes)
    await as_ordered(world, spec)
    await world.boots(spec.id, 1)
    return spec


async def size_seen(world: QemuWorld, folder: Folder, volume_id: str) -> int:
    """How large the machine believes a volume to be."""
    await world.door.close()  # a monitor listens to one at a time
    journal = folder.load()
    assert journal is not None
    monitor = await Monitor.connect(folder.sockets.monitor, lambda event: None, 5)
    try:
        nodes = await monitor.ask("query-named-block-nodes")
    finally:
        await monitor.close()
    [node] = [node for node in nodes if node["node-name"] == f"disk{journal.numbers[volume_id]}"]
    return int(node["image"]["virtual-size"])


def folder(world: QemuWorld, spec: MachineSpec) -> Folder:
    return Folder.of(world.folder / "state", spec.id)
