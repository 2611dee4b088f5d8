"""Plug devices into a running machine, and out of it. Each function may be run again after a crash within it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import msgspec

from cumulet.contracts.machines import Bus, DiskSpec, MachineSpec, NicSpec
from cumulet.drivers.hypervisor.base import GuestHolds, MachineFailed, Unfit
from cumulet.drivers.hypervisor.qemu import devices, volumes
from cumulet.drivers.hypervisor.qemu.block_nodes import close_node, if_there, is_duplicate, open_node, unless_there
from cumulet.drivers.hypervisor.qemu.devices import Nic
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.qemu_img import GIB
from cumulet.drivers.hypervisor.qemu.taps import open_tap
from cumulet.lib.qmp import Refused

_SECONDS_TO_LET_GO = 20.0


async def plug_disk(machine: Machine, disk_id: str) -> None:
    spec = next(disk for disk in machine.journal.spec.disks if disk.id == disk_id)
    running = _running(machine)
    if spec.bus is Bus.IDE:
        raise Unfit("an IDE disk can be connected only while the machine is off")
    await _number(machine, disk_id)
    controller = devices.scsi_controller(machine.journal.numbers, machine.journal.machine_type)
    if controller is not None:
        await unless_there(machine, "device_add", controller)
    disk = machine.disk(spec)
    await open_node(machine, disk)
    try:
        await unless_there(machine, "device_add", devices.disk_device(disk, machine.journal.machine_type))
    except Refused:
        await if_there(machine, "blockdev-del", {"node-name": disk.node})
        raise
    await _note(machine, running, disks=(*(other for other in running.disks if other.id != disk_id), spec))


async def unplug_disk(machine: Machine, disk_id: str) -> None:
    running = _running(machine)
    spec = next(disk for disk in running.disks if disk.id == disk_id)
    disk = machine.disk(spec)
    await _remove_device(machine, disk.id, f"disk {disk_id}")
    await close_node(machine, disk)
    await _note(machine, running, disks=tuple(other for other in running.disks if other.id != disk_id))


async def grow_disk(machine: Machine, disk_id: str) -> None:
    """Make a volume's new size known to the guest; where its bytes are in a file, this also makes the file larger."""
    running = _running(machine)
    size = next(disk.size_gib for disk in machine.journal.spec.disks if disk.id == disk_id)
    spec = next(disk for disk in running.disks if disk.id == disk_id)
    disk = machine.disk(spec)
    if spec.volume is not None and volumes.needs_relay(spec.volume):
        await machine.relays.renew(disk.way, spec.volume)
        # Who speaks NBD learns a size when he connects, and sees that he was cut off when he reads.
        await machine.ask("human-monitor-command", {"command-line": f'qemu-io {disk.node} "read 0 512"'})
    await machine.ask("block_resize", {"node-name": disk.node, "size": size * GIB})
    grown = msgspec.structs.replace(spec, size_gib=size)
    await _note(machine, running, disks=tuple(grown if other.id == disk_id else other for other in running.disks))


async def plug_nic(machine: Machine, port_id: str) -> None:
    spec = next(nic for nic in machine.journal.spec.nics if nic.port_id == port_id)
    running = _running(machine)
    nic = Nic(await _number(machine, port_id), spec)
    async with _tap(machine, spec) as fd:
        await machine.ask("getfd", {"fdname": nic.backend}, fds=[fd])
    try:
        await machine.ask("netdev_add", {"type": "tap", "id": nic.backend, "fd": nic.backend})
    except Refused as error:
        await if_there(machine, "closefd", {"fdname": nic.backend})
        if not is_duplicate(error):
            raise
    await unless_there(machine, "device_add", devices.nic_device(nic, machine.journal.machine_type))
    await _note(machine, running, nics=(*(other for other in running.nics if other.port_id != port_id), spec))


async def unplug_nic(machine: Machine, port_id: str) -> None:
    running = _running(machine)
    nic = Nic(machine.journal.numbers[port_id], next(nic for nic in running.nics if nic.port_id == port_id))
    await _remove_device(machine, nic.id, f"port {port_id}")
    await if_there(machine, "netdev_del", {"id": nic.backend})
    await _note(machine, running, nics=tuple(other for other in running.nics if other.port_id != port_id))


def _running(machine: Machine) -> MachineSpec:
    if machine.journal.running is None:
        raise MachineFailed("Nothing can be plugged into a machine that does not run.")
    return machine.journal.running


async def _number(machine: Machine, id: str) -> int:
    """The device's place, written down before it is used: whatever is found there later is this device."""
    spec, running = machine.journal.spec, _running(machine)
    # What is still there, though the order names it no more, holds its place until it is gone.
    wanted_disks, wanted_nics = {disk.id for disk in spec.disks}, {nic.port_id for nic in spec.nics}
    together = msgspec.structs.replace(
        spec,
        disks=(*spec.disks, *(disk for disk in running.disks if disk.id not in wanted_disks)),
        nics=(*spec.nics, *(nic for nic in running.nics if nic.port_id not in wanted_nics)),
    )
    numbers = devices.numbered(together, machine.journal.numbers)
    if numbers != machine.journal.numbers:
        await machine.remember(numbers=numbers)
    return numbers[id]


async def _note(machine: Machine, running: MachineSpec, **devices: tuple[DiskSpec, ...] | tuple[NicSpec, ...]) -> None:
    """Write down what is plugged in now (`disks` or `nics`)."""
    await machine.remember(running=msgspec.structs.replace(running, **devices))


@contextlib.asynccontextmanager
async def _tap(machine: Machine, spec: NicSpec) -> AsyncIterator[int]:
    fd = await open_tap(machine.host.tap(spec.port_id), machine.host.net_namespace)
    try:
        yield fd
    finally:
        os.close(fd)


async def _remove_device(machine: Machine, device: str, name: str) -> None:
    """Take a device away: the guest must let go of it first."""

    def is_gone(event: dict[str, object]) -> bool:
        data = event.get("data")
        return event["event"] == "DEVICE_DELETED" and isinstance(data, dict) and data.get("device") == device

    with machine.expecting(is_gone) as gone:
        try:
            await machine.ask("device_del", {"id": device})
        except Refused as error:
            if error.kind == "DeviceNotFound":
                return
            if "in the process of unplug" not in str(error):
                raise
        try:
            await asyncio.wait_for(gone, _SECONDS_TO_LET_GO)
        except TimeoutError:
            raise GuestHolds(
                f"The guest has not let go of {name}. Stop using it in the guest, or restart the guest."
            ) from None
