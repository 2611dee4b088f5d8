"""A machine as it is ordered and as it is found."""

from __future__ import annotations

import enum

from cumulet.contracts.assignments import Fault
from cumulet.contracts.moves import Arrival, Departure, MoveFacts
from cumulet.contracts.record import Record


class Power(enum.StrEnum):
    """The state of a machine's processor, wanted or found."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    """Memory saved to disk, process gone."""
    CRASHED = "crashed"
    """Found only: the process died without an order."""


class Bus(enum.StrEnum):
    """How a disk is presented to the guest."""

    VIRTIO = "virtio"
    SCSI = "scsi"
    IDE = "ide"


class DeviceType(enum.StrEnum):
    """What a disk is to the guest."""

    DISK = "disk"
    CDROM = "cdrom"


class ImageRef(Record, frozen=True, kw_only=True):
    """The bytes of an image, named by their digest, so that a node can fetch once and verify."""

    id: str
    sha512: str
    disk_format: str
    size: int
    """Bytes of the file."""


class VolumeConnection(Record, frozen=True, kw_only=True):
    """How a node reaches a volume's bytes."""

    volume_id: str
    backend: str = "local"
    """Name of the backend that holds the volume."""
    protocol: str = "file"
    """`file`, `rbd`: opened where the node's own settings of the backend say; `nbd`, `iscsi`: by address."""
    shared: bool = False
    """It is opened in the same way on each node that has the backend."""
    host: str = ""
    port: int = 0
    target: str = ""
    secret: str = ""
    encrypted: bool = False
    """Its bytes are; the node fetches the key when it opens them."""


class DiskSpec(Record, frozen=True, kw_only=True):
    """One disk. Exactly one of image, volume or neither (a blank disk of the node's own)."""

    id: str
    """`root`, `ephemeral0`, `swap`, `config`, or the id of the volume."""
    device: str
    """Name shown by the API, such as `vda`; it fixes the order, not what the guest calls it."""
    size_gib: int = 0
    """0: the size of its source."""
    size_mib: int = 0
    """For disks counted in MiB (swap)."""
    image: ImageRef | None = None
    volume: VolumeConnection | None = None
    bus: Bus = Bus.VIRTIO
    device_type: DeviceType = DeviceType.DISK
    serial: str = ""
    """What the guest reads as the disk's serial number: the first 20 characters of the volume id."""
    boot_index: int | None = None
    format: str = ""
    """File system for a blank disk: `ext4`, `vfat`, `swap` or none."""
    tag: str = ""
    goes_to: VolumeConnection | None = None
    """Where the volume is to be instead: while the machine runs, it is mirrored there, and then the machine goes on
    there. An order that names no such place any more calls off what has not come to its end."""
    moves: int = 0
    """Counts how often it was to go elsewhere, so that what is said of one time is not taken for another."""


class NicSpec(Record, frozen=True, kw_only=True):
    """One network card, connected to a port that exists on this node."""

    port_id: str
    network_id: str
    mac: str
    mtu: int = 1500
    model: str = "virtio"
    tag: str = ""


class NetworkConfig(Record, frozen=True, kw_only=True):
    """What the guest is told of one of its ports in `network_data.json`."""

    port_id: str
    network_id: str
    mac: str
    mtu: int
    type: str = "ovs"
    addresses: tuple[AddressConfig, ...] = ()
    tag: str = ""


class AddressConfig(Record, frozen=True, kw_only=True):
    """One fixed address, with what the guest needs to use it."""

    address: str
    cidr: str
    version: int
    gateway: str = ""
    dhcp: bool = True
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()


class PublicKey(Record, frozen=True, kw_only=True):
    """A public key the guest should accept."""

    name: str
    text: str
    type: str = "ssh"


class GuestData(Record, frozen=True, kw_only=True):
    """What a guest may learn about itself, by the metadata service or the config drive."""

    hostname: str
    name: str
    project_id: str
    user_id: str = ""
    instance_id: str = ""
    """EC2 form, `i-0000000a`."""
    image_id: str = ""
    instance_type: str = ""
    availability_zone: str = ""
    launch_index: int = 0
    reservation_id: str = ""
    keys: tuple[PublicKey, ...] = ()
    metadata: dict[str, str] = {}
    user_data: str = ""
    """Base64, as it was given."""
    admin_password: str = ""
    networks: tuple[NetworkConfig, ...] = ()
    security_groups: tuple[str, ...] = ()
    public_address: str = ""
    files: tuple[tuple[str, str], ...] = ()
    """Personality: (path, base64 content)."""


class MachineSpec(Record, frozen=True, kw_only=True):
    """A whole machine, complete: the node needs nothing else to make it so."""

    id: str
    wanted: Power
    vcpus: int
    memory_mib: int
    disks: tuple[DiskSpec, ...]
    nics: tuple[NicSpec, ...]
    guest: GuestData
    config_drive: bool = False
    firmware: str = "bios"
    """`bios` or `uefi`."""
    machine_type: str = "q35"
    cpu_model: str = ""
    """Empty: the best that this node's accelerator offers."""
    rng: bool = True
    secure_boot: bool = False
    guest_agent: bool = False
    """Its image says that an agent of QEMU runs in the guest: there is to be a way to it."""
    rescue: ImageRef | None = None
    """Set: boot from this image, with the root disk beside it as the second disk."""
    hard_reboots: int = 0
    """How often the owner has asked; the node makes its own count reach this one."""
    soft_reboots: int = 0
    rebuilds: int = 0
    """Counts the times the root disk was asked to be made anew from its image."""
    interrupts: int = 0
    """Counts the diagnostic interrupts (NMI) asked for."""
    shutdown_seconds: int = 60
    """How long a guest may take to obey a soft shutdown before power is cut."""
    console_log_kib: int = 1024
    arrival: Arrival | None = None
    """Set: it comes from another node, which is to be seen to before anything else."""
    departure: Departure | None = None
    """Set: it is to leave this node while it runs."""


class MirrorFacts(Record, frozen=True, kw_only=True):
    """A volume that is to be elsewhere, as the node of its machine finds it."""

    disk: str
    target: str
    """Digest of the place where it goes."""
    there: bool = False
    """The machine goes on there, whatever an order from before says. Its node alone decides that, at one instant."""
    fault: str = ""
    """Why it cannot go there; the machine goes on where it was. It is not tried again under this order."""


class MachineFacts(Record, frozen=True, kw_only=True):
    """A machine as a node found it."""

    id: str
    power: Power
    digest: str = ""
    """Digest of the spec that this machine fulfils; empty while it does not."""
    disks: tuple[str, ...] = ()
    """Ids of the disks connected now; of a machine that is off, those it will start with."""
    nics: tuple[str, ...] = ()
    """Ids of the ports connected now, or likewise."""
    mirrors: tuple[MirrorFacts, ...] = ()
    hard_reboots: int = 0
    soft_reboots: int = 0
    rebuilds: int = 0
    interrupts: int = 0
    rescued: bool = False
    started_at: int = 0
    """Microseconds since 1970, of the last power-on."""
    move: MoveFacts | None = None
    """Of the live move that was ordered."""
    fault: Fault | None = None


class SnapshotSpec(Record, frozen=True, kw_only=True):
    """A copy of one disk of a machine, to be uploaded as an image."""

    machine_id: str
    disk_id: str
    image_id: str
    disk_format: str = "qcow2"
