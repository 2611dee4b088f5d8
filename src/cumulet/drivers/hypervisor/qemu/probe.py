"""What this host can really do. The presence of `/dev/kvm` proves nothing: boot something tiny, and see."""

from __future__ import annotations

import os
import platform
import re
import tempfile
from pathlib import Path

import msgspec

from cumulet.contracts.record import Record
from cumulet.drivers.hypervisor.qemu import refusals
from cumulet.drivers.hypervisor.qemu.refusals import Refusal
from cumulet.lib import process
from cumulet.lib.process import Limits, ProcessFailed, User

_SECONDS_TO_BOOT = 10.0
_SUCCESS = 33
_FILE = "hypervisor.json"
_KVM = Path("/dev/kvm")

# mov dx, 0x501; mov al, 0x10; out dx, al; hlt: leave QEMU with the status (0x10 << 1) | 1.
_BOOT_SECTOR = bytes([0xBA, 0x01, 0x05, 0xB0, 0x10, 0xEE, 0xF4]).ljust(510, b"\0") + b"\x55\xaa"
_DISK_SIZE = 1 << 20


class Abilities(Record, frozen=True, kw_only=True):
    """What was found out, and about what."""

    accelerator: str
    version: int
    """As libvirt counts: 7.2.19 is 7002019."""
    reason: str = ""
    """Why the accelerator is not KVM."""
    remedy: str = ""
    """What could be done about that."""
    host: str = ""
    """The program and the boot this is true of."""


async def probe(state: Path, program: str = "qemu-system-x86_64", user: User | None = None) -> Abilities:
    """Find out, or remember: the answer is kept in the state directory until QEMU changes or the host is rebooted."""
    version = await _version(program)
    host = f"{program} {version} {platform.release()} {process.boot_id()} {user.uid if user else ''}"
    file = state / _FILE
    try:
        known = msgspec.json.decode(file.read_bytes(), type=Abilities)
        if known.host == host:
            return known
    except (OSError, msgspec.DecodeError):
        pass
    refusal = await _why_not_kvm(program, user)
    accelerator, (reason, remedy) = ("tcg", refusal) if refusal else ("kvm", ("", ""))
    found = Abilities(accelerator=accelerator, version=version, reason=reason, remedy=remedy, host=host)
    state.mkdir(mode=0o711, parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(found))
    new.replace(file)
    return found


def with_kvm(user: User | None) -> User | None:
    """The same user with the group that may use KVM, so that QEMU can open it."""
    if user is None or not _KVM.exists():
        return user
    return User(user.uid, user.gid, (*user.groups, _KVM.stat().st_gid))


async def boots(program: str, accelerator: str, user: User | None, seconds: float = _SECONDS_TO_BOOT) -> str:
    """Boot a disk that only says that it was booted; empty if it did, else why not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        disk = Path(folder, "disk")
        disk.write_bytes(_BOOT_SECTOR.ljust(_DISK_SIZE, b"\0"))
        argv = [
            *(program, "-nodefaults", "-no-user-config", "-display", "none", "-boot", "strict=on", "-m", "32M"),
            *("-machine", "q35", "-accel", accelerator, "-cpu", "host" if accelerator == "kvm" else "max"),
            *("-device", "isa-debug-exit,iobase=0x501,iosize=1"),
            *("-blockdev", f"driver=raw,node-name=disk,read-only=on,file.driver=file,file.filename={disk}"),
            *("-device", "virtio-blk-pci,drive=disk,bootindex=0"),
        ]
        try:
            done = await process.run(argv, timeout=seconds, limits=Limits(cpu_seconds=60), user=user, check=False)
        except ProcessFailed as error:
            return str(error)
    if done.status == _SUCCESS:
        return ""
    return done.stderr.decode("utf-8", "replace").strip() or f"QEMU ended with status {done.status}"


async def _why_not_kvm(program: str, user: User | None) -> Refusal | None:
    if not _KVM.exists():
        return refusals.NO_DEVICE
    able = with_kvm(user)
    if able is None and not os.access(_KVM, os.R_OK | os.W_OK):
        return refusals.FORBIDDEN
    words = await boots(program, "kvm", able)
    return refusals.read(words) if words else None


async def _version(program: str) -> int:
    done = await process.run([program, "--version"], timeout=30)
    found = re.search(rb"version (\d+)\.(\d+)\.(\d+)", done.stdout)
    if found is None:
        raise ProcessFailed([program], "does not say its version")
    major, minor, micro = map(int, found.groups())
    return major * 1_000_000 + minor * 1000 + micro
