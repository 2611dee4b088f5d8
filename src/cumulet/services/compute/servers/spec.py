"""From a server's row to the order for its node. Pure: the same wish gives the same text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cumulet.contracts.machines import (
    AddressConfig,
    Bus,
    DeviceType,
    DiskSpec,
    GuestData,
    ImageRef,
    MachineSpec,
    NetworkConfig,
    NicSpec,
    Power,
    PublicKey,
    VolumeConnection,
)
from cumulet.contracts.moves import Arrival
from cumulet.core.web.wire import parse_bool
from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.servers.row import DiskRow, NicRow, ServerRow, Wanted
from cumulet.services.network.public import NicView

_connection = msgspec.json.Decoder(VolumeConnection)
_image = msgspec.json.Decoder(ImageRef)

POWER = {
    Wanted.RUNNING: Power.RUNNING,
    Wanted.STOPPED: Power.STOPPED,
    Wanted.PAUSED: Power.PAUSED,
    Wanted.SUSPENDED: Power.SUSPENDED,
    Wanted.SHELVED: Power.STOPPED,
}


def machine_spec(
    server: ServerRow,
    flavor: Flavor,
    disks: Sequence[DiskRow],
    nics: Sequence[NicRow],
    ports: Mapping[str, NicView],
    arrival: Arrival | None = None,
) -> MachineSpec:
    """The whole machine, of what is connected at this moment."""
    properties: dict[str, Any] = msgspec.json.decode(server.image)
    reimages = any(disk.new_image for disk in disks)
    cards = [ports[nic.port_id] for nic in nics if nic.wanted == "attached" and nic.port_id and nic.port_id in ports]
    return MachineSpec(
        id=server.id,
        wanted=POWER[Wanted(server.wanted)] if server.wanted != Wanted.GONE and not reimages else Power.STOPPED,
        vcpus=flavor.vcpus,
        memory_mib=flavor.ram,
        disks=tuple(disk_specs(server, flavor, disks, properties)),
        nics=tuple(nic_spec(card, properties) for card in cards),
        guest=guest_data(server, flavor, cards),
        config_drive=has_config_drive(server, properties),
        firmware="uefi" if properties.get("hw_firmware_type") == "uefi" else "bios",
        machine_type="pc" if str(properties.get("hw_machine_type", "")).startswith("pc-i440") else "q35",
        rng=flavor.extra_specs.get("hw_rng:allowed", "true").lower() != "false",
        secure_boot=properties.get("os_secure_boot") == "required",
        guest_agent=has_guest_agent(properties),
        rescue=_image.decode(server.rescue) if server.rescue else None,
        hard_reboots=server.hard_reboots,
        soft_reboots=server.soft_reboots,
        rebuilds=server.rebuilds - reimages,
        interrupts=server.interrupts,
        arrival=arrival,
    )


def has_config_drive(server: ServerRow, properties: Mapping[str, Any]) -> bool:
    """Also where files are given: cloud-init writes them from there, and not from the metadata service."""
    return server.config_drive or properties.get("img_config_drive") == "mandatory" or server.files not in ("", "[]")


def has_guest_agent(properties: Mapping[str, Any]) -> bool:
    """Whether its image says that an agent of QEMU runs in the guest."""
    try:
        return parse_bool(properties.get("hw_qemu_guest_agent", False))
    except ValueError:
        return False


def bus_of(word: str) -> Bus:
    return Bus(word) if word in ("virtio", "scsi", "ide") else Bus.VIRTIO


def disk_specs(
    server: ServerRow, flavor: Flavor, disks: Sequence[DiskRow], properties: Mapping[str, Any]
) -> list[DiskSpec]:
    """The flavor's disks, then the server's own, in the order of their device names."""
    bus = bus_of(str(properties.get("hw_disk_bus", "")))
    found: list[DiskSpec] = []
    kept = [disk for disk in disks if disk.wanted == "attached"]
    taken = {disk.device for disk in kept}
    if server.image_ref and not any(disk.boot_index == 0 and not disk.local for disk in kept):
        image = _image.decode(server.image_ref)
        root = server.root_device.rpartition("/")[2]
        found.append(DiskSpec(id="root", device=root, size_gib=flavor.disk, image=image, bus=bus, boot_index=0))
        taken.add(root)
    if flavor.ephemeral and not any(disk.local and disk.format != "swap" for disk in kept):
        device = free_device(taken)
        taken.add(device)
        found.append(DiskSpec(id="ephemeral0", device=device, size_gib=flavor.ephemeral, bus=bus, format="ext4"))
    if flavor.swap and not any(disk.local and disk.format == "swap" for disk in kept):
        device = free_device(taken)
        found.append(DiskSpec(id="swap", device=device, size_mib=flavor.swap, bus=bus, format="swap"))
    for disk in kept:
        own = disk_spec(disk, bus)
        if own is not None:
            found.append(own)
    return sorted(found, key=lambda disk: (len(disk.device), disk.device))


def disk_spec(disk: DiskRow, bus: Bus) -> DiskSpec | None:
    """None: its volume is not connected yet."""
    chosen = bus_of(disk.bus) if disk.bus else bus
    kind = DeviceType.CDROM if disk.device_type == "cdrom" else DeviceType.DISK
    boots = disk.boot_index if disk.boot_index >= 0 else None
    if disk.local:
        gib, mib = (0, disk.size * 1024) if disk.format == "swap" else (disk.size, 0)
        return DiskSpec(
            id=disk.id, device=disk.device, size_gib=gib, size_mib=mib, bus=chosen, format=disk.format, tag=disk.tag
        )
    if not disk.connection:
        return None
    return DiskSpec(
        id=disk.volume_id,
        device=disk.device,
        # What opens a file sees its size; behind a relay a machine has to be told.
        size_gib=0 if is_open_as_file(disk) else disk.size,
        volume=_connection.decode(disk.connection),
        goes_to=_connection.decode(disk.target) if disk.target else None,
        moves=disk.moves,
        bus=chosen,
        device_type=kind,
        serial=disk.volume_id[:20],
        boot_index=boots,
        tag=disk.tag,
    )


def is_open_as_file(disk: DiskRow) -> bool:
    """Its volume lies on the server's host, and is opened there without a way for others."""
    if disk.local or not disk.connection:
        return False
    connection = _connection.decode(disk.connection)
    return connection.protocol == "file" and not connection.shared


def free_device(taken: set[str]) -> str:
    """The next name in vda, vdb, … vdz, vdaa."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    for name in (*letters, *(first + second for first in letters for second in letters)):
        if f"vd{name}" not in taken:
            return f"vd{name}"
    raise ValueError("there are no free device names left")


def nic_spec(card: NicView, properties: Mapping[str, Any]) -> NicSpec:
    model = properties.get("hw_vif_model")
    return NicSpec(
        port_id=card.port_id,
        network_id=card.network_id,
        mac=card.mac,
        mtu=card.mtu,
        model="e1000" if model == "e1000" else "virtio",
        tag=card.tag,
    )


def guest_data(server: ServerRow, flavor: Flavor, cards: Sequence[NicView]) -> GuestData:
    """What the guest may learn about itself."""
    keys: tuple[PublicKey, ...] = ()
    if server.key:
        key = msgspec.json.decode(server.key)
        keys = (PublicKey(name=key["name"], text=key["public_key"], type=key["type"]),)
    networks = tuple(
        NetworkConfig(
            port_id=card.port_id,
            network_id=card.network_id,
            mac=card.mac,
            mtu=card.mtu,
            tag=card.tag,
            addresses=tuple(
                AddressConfig(
                    address=address.ip,
                    cidr=address.cidr,
                    version=address.version,
                    gateway=address.gateway,
                    dhcp=address.dhcp,
                    dns=tuple(address.dns),
                    routes=tuple((to, by) for to, by in address.routes),
                )
                for address in card.addresses
            ),
        )
        for card in cards
    )
    floating = [public for card in cards for _, public in card.floating]
    return GuestData(
        hostname=server.hostname,
        name=server.name,
        project_id=server.project_id,
        user_id=server.user_id,
        instance_id=f"i-{server.id[:8]}",
        image_id=server.image_id,
        instance_type=flavor.name,
        availability_zone=server.zone,
        launch_index=server.launch_index,
        reservation_id=server.reservation_id,
        keys=keys,
        metadata=msgspec.json.decode(server.metadata),
        user_data=server.user_data or "",
        admin_password=server.admin_password,
        networks=networks,
        security_groups=tuple(sorted({group for card in cards for group in card.groups})),
        public_address=floating[0] if floating else "",
        files=tuple((path, content) for path, content in msgspec.json.decode(server.files)),
    )
