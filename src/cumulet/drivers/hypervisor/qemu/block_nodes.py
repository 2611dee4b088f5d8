"""What leads a running QEMU to the bytes of a volume: a relay, a secret, a node of its block layer.

Each function may be run again after a crash within it.
"""

from __future__ import annotations

from cumulet.drivers.hypervisor.qemu import devices, volumes
from cumulet.drivers.hypervisor.qemu.devices import Disk, Words
from cumulet.drivers.hypervisor.qemu.disks import secret_id
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.lib.qmp import Refused


async def open_node(machine: Machine, disk: Disk) -> None:
    volume = disk.spec.volume
    machine.host.disks.grant_volume(disk.spec)
    if volume is not None and volumes.needs_relay(volume):
        await machine.relays.ensure(disk.way, volume)
    if volume is not None and volumes.needs_secret(volume):
        data = await machine.host.secret_of(volume)
        secret: Words = {"qom-type": "secret", "id": secret_id(disk.way), "data": data}
        await unless_there(machine, "object-add", secret)
    await unless_there(machine, "blockdev-add", devices.blockdev(disk))


async def close_node(machine: Machine, disk: Disk) -> None:
    """Its relay ends with the next look at all of them."""
    await if_there(machine, "blockdev-del", {"node-name": disk.node})
    await if_there(machine, "object-del", {"id": secret_id(disk.way)})


async def unless_there(machine: Machine, command: str, arguments: Words) -> None:
    """Make a thing of QEMU's that a call before a crash may have made."""
    try:
        await machine.ask(command, arguments)
    except Refused as error:
        if not is_duplicate(error):
            raise


def is_duplicate(error: Refused) -> bool:
    words = str(error).lower()
    return "duplicate" in words or "already exists" in words or "attempt to add duplicate" in words


async def if_there(machine: Machine, command: str, arguments: Words) -> None:
    """Remove a thing of QEMU's that may be gone."""
    try:
        await machine.ask(command, arguments)
    except Refused as error:
        words = str(error).lower()
        if not ("not found" in words or "failed to find" in words or "cannot find" in words):
            raise
