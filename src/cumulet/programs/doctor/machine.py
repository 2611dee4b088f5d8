"""Checks of this machine: Python, programs, memory, disk, the port, and what the kernel allows."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cumulet.drivers.hypervisor.qemu.firmware import PLACES as FIRMWARE_PLACES
from cumulet.drivers.hypervisor.qemu.probe import probe as probe_hypervisor
from cumulet.drivers.network.linux.commands import Commands
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.probe import probe as probe_network
from cumulet.lib import process
from cumulet.lib.process import ProcessFailed
from cumulet.programs.doctor.finding import MODES, REAL, Finding
from cumulet.programs.laptop.mode import EXTRA_TOOLS, may_make_user_namespaces, missing_tools

MEMORY_MIB, DISK_GIB = 1024, 5
"""Below these a cloud runs, but holds little."""


def python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer", MODES)


def system() -> Finding:
    found = f"{platform.system()} {platform.release()} on {platform.machine()}"
    fits = platform.system() == "Linux" and platform.machine() == "x86_64"
    return Finding("System", fits, found, "real servers need Linux on x86-64; elsewhere: cumulet up --simulate", REAL)


def programs() -> list[Finding]:
    missing = missing_tools()
    if not missing:
        return [Finding("Programs", True, "QEMU, qemu-img, ip, nft and dnsmasq are here")]
    packages = " ".join(sorted(set(missing.values())))
    return [Finding("Programs", False, f"not found: {', '.join(missing)}", f"apt-get install {packages}", REAL)]


def extras(tools: Mapping[str, str] = EXTRA_TOOLS, firmware: Sequence[Path] = FIRMWARE_PLACES) -> list[Finding]:
    """What only some machines need: without it those fail, each with its fault, and all others run."""
    lacking = missing_tools(tools)
    detail = f"not found: {', '.join(lacking)}; machines that ask for such disks fail" if lacking else ""
    disks = Finding("File systems", not lacking, detail, f"apt-get install {' '.join(sorted(lacking.values()))}")
    uefi = any(any(place.glob("*.json")) for place in firmware)
    without = "" if uefi else "no description of any; machines whose image asks for UEFI fail"
    return [disks, Finding("UEFI firmware", uefi, without, "apt-get install ovmf")]


def memory() -> Finding:
    found = available_mib(Path("/proc/meminfo").read_text())
    remedy = f"a few small servers fit into less than {MEMORY_MIB} MiB, no more: end what you do not need"
    return Finding("Free memory", found >= MEMORY_MIB, f"{found} MiB", remedy)


def available_mib(meminfo: str) -> int:
    """What programs may still take, from the kernel's words. Pure."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def disk(state: Path) -> Finding:
    place = next(folder for folder in (state, *state.parents) if folder.exists())
    free = shutil.disk_usage(place).free // 2**30
    remedy = "images and volumes need room: put the cloud elsewhere with --state"
    return Finding("Free disk", free >= DISK_GIB, f"{free} GiB at {place}", remedy)


def port(host: str, number: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, number))
        except OSError as error:
            detail = f"{host}:{number} cannot be used: {error.strerror}"
            return Finding("Port", False, detail, "choose another one: cumulet up --port 5001", MODES)
    return Finding("Port", True, f"{host}:{number} is free")


def namespaces() -> Finding:
    if os.geteuid() == 0:
        return Finding("User namespaces", True, "not needed: root")
    remedy = "run as root, or allow them: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    detail = "" if (allowed := may_make_user_namespaces()) else "this distribution forbids them to ordinary users"
    return Finding("User namespaces", allowed, detail, remedy, frozenset({"rootless"}))


def tun() -> Finding:
    device = Path("/dev/net/tun")
    remedy = "load the kernel module: modprobe tun; a container must be given the device"
    usable = device.exists() and os.access(device, os.R_OK | os.W_OK)
    return Finding("/dev/net/tun", usable, "" if usable else "missing, or not for this user", remedy, REAL)


async def acceleration() -> Finding:
    """Boots something tiny: the presence of /dev/kvm proves nothing."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = await probe_hypervisor(Path(folder))
        except (ProcessFailed, OSError) as error:
            return Finding("QEMU", False, str(error), "apt-get install qemu-system-x86", REAL)
    if found.accelerator == "kvm":
        return Finding("KVM", True, "servers run at full speed")
    return Finding("KVM", False, f"{found.reason}; servers run, but slowly", found.remedy)


async def network(namespace: str) -> list[Finding]:
    """Tries each technique in a namespace of its own, which only root may make; rootless, the node tries them."""
    if os.geteuid() != 0 or missing_tools():
        return []
    found = await probe_network(Commands(process.run), Node(name="doctor", namespace=namespace))
    return [
        Finding(f"Network: {one.name}", one.works, "", one.remedy, REAL if one.needed else frozenset()) for one in found
    ]
