"""From an order and what the node computed for it to the argument list that starts QEMU. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cumulet.contracts.machines import MachineSpec
from cumulet.drivers.hypervisor.base import Unfit
from cumulet.drivers.hypervisor.qemu import devices
from cumulet.drivers.hypervisor.qemu.devices import Disk, Nic, Words
from cumulet.lib import qemu_secrets

_MACHINE_TYPE = re.compile(r"(pc-)?(q35|i440fx)(-[0-9]{1,2}\.[0-9]{1,2})?|pc")
_CPU_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
AGENT = "org.qemu.guest_agent.0"
_PORTS_PER_SLOT = 8
_FIRST_PORT_SLOT = 0x10


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where a running machine can be spoken to, and its console's log."""

    monitor: Path
    vnc: Path
    serial: Path
    console_log: Path
    memory: Path
    """Where the memory of a machine that moves while it runs goes out, or comes in."""
    disks: Path
    agent: Path
    """Leads to the agent in the guest, where there is to be one."""


@dataclass(frozen=True, slots=True)
class Flash:
    """UEFI firmware: its code, shared, and this machine's own variables."""

    code: str
    variables: str
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """What the node computed for one start of a machine."""

    machine_type: str
    accelerator: str
    sockets: Sockets
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    numbers: dict[str, int]
    secrets: tuple[Mapping[str, object], ...] = ()
    """The secrets that disks refer to, as QEMU's objects."""
    flash: Flash | None = None
    tap_fds: tuple[int, ...] = ()
    """Descriptors of the network cards' taps, in their order."""
    paused: bool = False
    memory_fd: int | None = None
    """Go on from memory that was saved earlier, read from this descriptor."""
    arrives: bool = False
    """Go on from memory that another node sends; from where, it is told later."""


def versioned(machine_type: str, version: int) -> str:
    """The machine type with its version: memory that was saved is read again by the same version only."""
    if not _MACHINE_TYPE.fullmatch(machine_type):
        raise Unfit(f"there is no machine of the type {machine_type!r}")
    if machine_type[-1].isdigit() and "-" in machine_type:
        return machine_type
    family = "q35" if "q35" in machine_type else "i440fx"
    return f"pc-{family}-{version // 1_000_000}.{version // 1000 % 1000}"


def command(program: str, spec: MachineSpec, launch: Launch) -> list[str]:
    """The argument list that starts this machine."""
    return [
        program,
        *("-name", keyval(guest=spec.id)),
        *("-nodefaults", "-no-user-config", "-no-shutdown", "-display", "none", "-boot", "strict=on"),
        # Even a guest that breaks out of its machine can then start no program and gain no rights.
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *_processor(spec, launch),
        *_identity(spec),
        *("-rtc", "base=utc,driftfix=slew"),
        *_talk(launch.sockets),
        *(_agent(launch) if spec.guest_agent else []),
        *_fixtures(spec, launch),
        *_disks(launch),
        *_nics(launch),
        *(["-S"] if launch.paused or launch.memory_fd is not None else []),
        *(["-incoming", f"fd:{launch.memory_fd}"] if launch.memory_fd is not None else []),
        *(["-incoming", "defer"] if launch.arrives else []),
    ]


def keyval(first: str = "", /, **options: object) -> str:
    """QEMU's `first,key=value,…`, where a comma inside a value is written twice."""
    pairs = [f"{key.replace('_', '-')}={str(value).replace(',', ',,')}" for key, value in options.items()]
    return ",".join([first, *pairs] if first else pairs)


def as_json(words: Words) -> str:
    return json.dumps(words, separators=(",", ":"))


def _processor(spec: MachineSpec, launch: Launch) -> list[str]:
    if not (1 <= spec.vcpus <= 255 and 1 <= spec.memory_mib <= 16 << 20):
        raise Unfit("a machine has 1 to 255 processors and 1 MiB to 16 TiB of memory")
    if spec.cpu_model and not _CPU_MODEL.fullmatch(spec.cpu_model):
        raise Unfit(f"there is no processor of the model {spec.cpu_model!r}")
    machine: dict[str, object] = {"dump_guest_core": "off", "vmport": "off"}
    arguments = []
    if launch.flash is not None:
        machine |= {"pflash0": "flash-code", "pflash1": "flash-variables"}
        if launch.flash.secure:
            machine["smm"] = "on"
            arguments += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
        for node, path, read_only in (
            ("flash-code", launch.flash.code, True),
            ("flash-variables", launch.flash.variables, False),
        ):
            file: Words = {"driver": "file", "filename": path}
            arguments += [
                "-blockdev",
                as_json({"driver": "raw", "node-name": node, "read-only": read_only, "file": file}),
            ]
    # The translator's buffer is a gigabyte by default, more than most guests that are run without hardware support.
    accelerator = keyval("tcg", thread="multi", tb_size=128) if launch.accelerator == "tcg" else launch.accelerator
    best = "host" if launch.accelerator == "kvm" else "max"
    return [
        *("-machine", keyval(launch.machine_type, **machine)),
        *("-accel", accelerator),
        *("-cpu", spec.cpu_model or best),
        *("-smp", keyval(str(spec.vcpus), sockets=spec.vcpus, cores=1, threads=1)),
        *("-m", keyval(size=f"{spec.memory_mib}M")),
        *arguments,
    ]


def _identity(spec: MachineSpec) -> list[str]:
    """Guests look for these words to learn that a metadata service is near."""
    system = keyval(
        type=1,
        manufacturer="OpenStack Foundation",
        product="OpenStack Nova",
        version="Cumulet",
        serial=spec.id,
        uuid=spec.id,
        family="Virtual Machine",
    )
    return ["-uuid", spec.id, "-smbios", system]


def _talk(sockets: Sockets) -> list[str]:
    monitor = keyval("socket", id="monitor", path=sockets.monitor, server="on", wait="off")
    serial = keyval(
        "socket", id="serial", path=sockets.serial, server="on", wait="off", logfile=sockets.console_log, logappend="on"
    )
    return [
        *("-chardev", monitor, "-mon", keyval(chardev="monitor", mode="control")),
        *("-chardev", serial, "-serial", "chardev:serial"),
        *("-vnc", f"unix:{sockets.vnc}".replace(",", ",,")),
    ]


def _agent(launch: Launch) -> list[str]:
    """A serial line that the guest's agent knows by its name."""
    root = _root_bus(launch)
    channel: Words = {"driver": "virtio-serial-pci", "id": "channel", "bus": root, "addr": "0x6", "max_ports": 2}
    port: Words = {"driver": "virtserialport", "bus": "channel.0", "chardev": "agent", "name": AGENT}
    return [
        *("-chardev", keyval("socket", id="agent", path=launch.sockets.agent, server="on", wait="off")),
        *("-device", as_json(channel), "-device", as_json({**port, "id": "agent-port"})),
    ]


def _root_bus(launch: Launch) -> str:
    return "pcie.0" if devices.has_root_ports(launch.machine_type) else "pci.0"


def _fixtures(spec: MachineSpec, launch: Launch) -> list[str]:
    """What every machine has: a screen, a pointer, randomness, elastic memory, and ports for what is plugged later."""
    root = _root_bus(launch)
    fixtures: list[Words] = [
        {"driver": "VGA", "id": "screen", "bus": root, "addr": "0x2"},
        {"driver": "virtio-tablet-pci", "id": "pointer", "bus": root, "addr": "0x3"},
        {"driver": "virtio-balloon-pci", "id": "balloon", "bus": root, "addr": "0x4", "free-page-reporting": True},
    ]
    arguments = []
    if spec.rng:
        arguments += ["-object", keyval("rng-random", id="random", filename="/dev/urandom")]
        fixtures.append({"driver": "virtio-rng-pci", "id": "rng", "rng": "random", "bus": root, "addr": "0x5"})
    if devices.has_root_ports(launch.machine_type):
        fixtures += [_port(number) for number in range(devices.PORTS)]
    controller = devices.scsi_controller(launch.numbers, launch.machine_type)
    if controller is not None:
        fixtures.append(controller)
    return arguments + [word for fixture in fixtures for word in ("-device", as_json(fixture))]


def _port(number: int) -> Words:
    slot, function = divmod(number, _PORTS_PER_SLOT)
    return {
        "driver": "pcie-root-port",
        "id": devices.bus_of(number, "q35"),
        "bus": "pcie.0",
        "addr": f"{_FIRST_PORT_SLOT + slot:#x}.{function}",
        "multifunction": function == 0,
        "chassis": number + 1,
        "port": number,
    }


def _disks(launch: Launch) -> list[str]:
    arguments = []
    for secret in launch.secrets:
        arguments += ["-object", qemu_secrets.keyval(secret)]
    for disk in launch.disks:
        arguments += ["-blockdev", as_json(devices.blockdev(disk))]
        arguments += ["-device", as_json(devices.disk_device(disk, launch.machine_type))]
    return arguments


def _nics(launch: Launch) -> list[str]:
    arguments = []
    for nic, fd in zip(launch.nics, launch.tap_fds, strict=True):
        arguments += ["-netdev", keyval("tap", id=nic.backend, fd=fd)]
        arguments += ["-device", as_json(devices.nic_device(nic, launch.machine_type))]
    return arguments
