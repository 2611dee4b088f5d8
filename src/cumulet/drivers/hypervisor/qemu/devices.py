"""Disks and network cards in QEMU's words. Pure: used for the command line and for hot plugging alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cumulet.contracts.machines import Bus, DeviceType, DiskSpec, MachineSpec, NicSpec
from cumulet.drivers.hypervisor.base import Unfit

Words = dict[str, object]
"""What QEMU reads as JSON."""

RESCUE, CONFIG = "rescue", "config"
"""Ids of the two disks that a machine has by its mode, not by its list of disks."""
_SCSI = "scsi"
_FIRST, _LAST = 1, 30
_FIXED = {RESCUE: 0, CONFIG: 31}
"""The rescue disk comes before all others, so that the guest finds it first and the root disk second."""
PORTS = 32

_MODELS = {"virtio": "virtio-net-pci", "e1000": "e1000", "e1000e": "e1000e", "rtl8139": "rtl8139", "vmxnet3": "vmxnet3"}
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_SERIAL = re.compile(r"[A-Za-z0-9_.-]{0,36}")


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk with all that the node computed for it."""

    number: int
    spec: DiskSpec
    source: Words
    """Where its bytes are: the tree of block drivers, without the name of its top."""
    way: int
    """The number in the names of what leads there."""
    boot_index: int | None = None
    read_only: bool = False

    @property
    def node(self) -> str:
        return f"disk{self.way}"

    @property
    def id(self) -> str:
        return f"dev-disk{self.number}"


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card with its place."""

    number: int
    spec: NicSpec

    @property
    def backend(self) -> str:
        return f"net{self.number}"

    @property
    def id(self) -> str:
        return f"dev-net{self.number}"


def numbered(spec: MachineSpec, before: Mapping[str, int]) -> dict[str, int]:
    """A number for every device: the name it has in QEMU, and its place on the bus.

    What had one keeps it, so that the guest finds its devices in the same places after a restart; new ones follow in
    the order of the spec.
    """
    wanted = [disk.id for disk in spec.disks if disk.id not in _FIXED] + [nic.port_id for nic in spec.nics]
    if any(disk.bus is Bus.SCSI for disk in (*spec.disks, *config_disks(spec))):
        wanted.append(_SCSI)
    if len(set(wanted)) != len(wanted):
        raise Unfit("two devices have the same id")
    numbers = {key: before[key] for key in wanted if key in before}
    free = iter(sorted(set(range(_FIRST, _LAST + 1)) - set(numbers.values())))
    for key in wanted:
        if key not in numbers:
            number = next(free, None)
            if number is None:
                raise Unfit(f"a machine has room for {_LAST} disks and network cards")
            numbers[key] = number
    return {**numbers, **_FIXED}


def config_disks(spec: MachineSpec) -> list[DiskSpec]:
    """The config drive, if the machine has one: as its list of disks says, or else as a SCSI disk.

    The names that guests give to virtio disks are so left to the disks that the API calls by them.
    """
    given = [disk for disk in spec.disks if disk.id == CONFIG]
    if not given and spec.config_drive:
        return [DiskSpec(id=CONFIG, device="sda", bus=Bus.SCSI)]
    return given


def has_root_ports(machine_type: str) -> bool:
    """Whether devices sit behind PCI Express ports (q35) or on one old bus (pc)."""
    return "q35" in machine_type


def bus_of(number: int, machine_type: str) -> str:
    return f"port{number}" if has_root_ports(machine_type) else "pci.0"


def blockdev(disk: Disk) -> Words:
    """For `-blockdev` and `blockdev-add`."""
    return {**disk.source, "node-name": disk.node, "read-only": disk.read_only, "discard": "unmap"}


def disk_device(disk: Disk, machine_type: str) -> Words:
    """For `-device` and `device_add`."""
    if not _SERIAL.fullmatch(disk.spec.serial):
        raise Unfit("the serial number of a disk has letters and digits only")
    device: Words = {"id": disk.id, "drive": disk.node}
    # An IDE hard disk cannot be read-only.
    cdrom = disk.spec.device_type is DeviceType.CDROM or (disk.read_only and disk.spec.bus is Bus.IDE)
    if disk.spec.bus is Bus.SCSI:
        device |= {"driver": "scsi-cd" if cdrom else "scsi-hd", "bus": "scsi.0", "lun": disk.number}
    elif disk.spec.bus is Bus.IDE:
        device |= {"driver": "ide-cd" if cdrom else "ide-hd", **_ide_place(disk.number, machine_type)}
    else:
        device |= {"driver": "virtio-blk-pci", "bus": bus_of(disk.number, machine_type)}
    if disk.spec.serial:
        device["serial"] = disk.spec.serial
    if disk.boot_index is not None:
        device["bootindex"] = disk.boot_index
    return device


def _ide_place(number: int, machine_type: str) -> Words:
    """Six places of one disk each on q35, two times two on pc; the first for rescue, the last for the config drive."""
    per_bus, places = (1, 6) if has_root_ports(machine_type) else (2, 4)
    place = {_FIXED[RESCUE]: 0, _FIXED[CONFIG]: places - 1}.get(number, number)
    if number not in _FIXED.values() and place >= places - 1:
        raise Unfit(f"a machine of type {machine_type} has room for {places - 2} IDE disks, listed before the others")
    return {"bus": f"ide.{place // per_bus}", "unit": place % per_bus}


def scsi_controller(numbers: Mapping[str, int], machine_type: str) -> Words | None:
    """The controller that SCSI disks need, if there are any."""
    if _SCSI not in numbers:
        return None
    return {"driver": "virtio-scsi-pci", "id": "scsi", "bus": bus_of(numbers[_SCSI], machine_type)}


def nic_device(nic: Nic, machine_type: str) -> Words:
    """For `-device` and `device_add`."""
    if nic.spec.model not in _MODELS:
        raise Unfit(f"there is no network card of the model {nic.spec.model!r}")
    if not _MAC.fullmatch(nic.spec.mac.lower()):
        raise Unfit(f"{nic.spec.mac!r} is no hardware address")
    device: Words = {
        "driver": _MODELS[nic.spec.model],
        "id": nic.id,
        "netdev": nic.backend,
        "mac": nic.spec.mac.lower(),
        "bus": bus_of(nic.number, machine_type),
        # Without network boot code: it would cost every start a second, and images boot from disks here.
        "romfile": "",
    }
    if nic.spec.model == "virtio" and 68 <= nic.spec.mtu <= 65535:
        device["host_mtu"] = nic.spec.mtu
    return device


def boot_order(disks: Sequence[DiskSpec], rescued: bool) -> dict[str, int]:
    """Which disk is tried when: the rescue disk alone, else as the spec says, else the first disk."""
    if rescued:
        return {RESCUE: 0}
    asked = {disk.id: disk.boot_index for disk in disks if disk.boot_index is not None and disk.boot_index >= 0}
    if asked:
        return {id: place for place, id in enumerate(sorted(asked, key=lambda id: asked[id]))}
    return {disks[0].id: 0} if disks else {}
