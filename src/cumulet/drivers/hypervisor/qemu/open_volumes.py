"""Volumes that running machines have open: only their QEMU may change the file, so it is asked to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cumulet.contracts.machines import VolumeConnection
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.volumes import FILE, RBD


async def holders(machines: Iterable[Machine], volume_id: str) -> list[Machine]:
    """The machines that have it open now."""
    return [
        machine
        for machine in machines
        if machine.journal.running is not None
        and any(_opens(disk.volume, volume_id) for disk in machine.journal.running.disks)
        and await machine.find_process() is not None
    ]


def _opens(connection: VolumeConnection | None, volume_id: str) -> bool:
    """By itself: what is served over the network is opened by another program, whose machine this is not."""
    return connection is not None and connection.protocol in (FILE, RBD) and connection.volume_id == volume_id


async def resize(machine: Machine, volume_id: str, size_bytes: int) -> None:
    if int((await _node(machine, volume_id))["image"]["virtual-size"]) < size_bytes:
        await machine.ask("block_resize", {"node-name": _name(machine, volume_id), "size": size_bytes})


async def take_snapshot(machine: Machine, volume_id: str, snapshot_id: str) -> None:
    if snapshot_id not in await _snapshots(machine, volume_id):
        arguments = {"device": _name(machine, volume_id), "name": snapshot_id}
        await machine.ask("blockdev-snapshot-internal-sync", arguments, timeout=60)


async def drop_snapshot(machine: Machine, volume_id: str, snapshot_id: str) -> None:
    if snapshot_id in await _snapshots(machine, volume_id):
        arguments = {"device": _name(machine, volume_id), "name": snapshot_id}
        await machine.ask("blockdev-snapshot-delete-internal-sync", arguments, timeout=60)


async def _snapshots(machine: Machine, volume_id: str) -> set[str]:
    return {str(snapshot["name"]) for snapshot in (await _node(machine, volume_id))["image"].get("snapshots", ())}


async def _node(machine: Machine, volume_id: str) -> dict[str, Any]:
    name = _name(machine, volume_id)
    for node in await machine.ask("query-named-block-nodes"):
        if node.get("node-name") == name:
            return dict(node)
    raise MachineFailed(f"Volume {volume_id} is not connected to the machine any more.")


def _name(machine: Machine, volume_id: str) -> str:
    running = machine.journal.running
    for spec in running.disks if running else ():
        if spec.volume is not None and spec.volume.volume_id == volume_id:
            return f"disk{machine.journal.way(spec.id)}"
    raise MachineFailed(f"Volume {volume_id} is not connected to the machine any more.")
