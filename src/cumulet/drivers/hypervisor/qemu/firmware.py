"""Find UEFI firmware by the descriptions that distributions install beside it (QEMU's firmware.json)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from cumulet.drivers.hypervisor.base import Unfit

PLACES = (Path("/etc/qemu/firmware"), Path("/usr/share/qemu/firmware"))


class _Image(msgspec.Struct):
    filename: str
    format: str = "raw"


class _Mapping(msgspec.Struct):
    device: str
    executable: _Image | None = None
    nvram_template: _Image | None = msgspec.field(default=None, name="nvram-template")


class _Target(msgspec.Struct):
    architecture: str
    machines: list[str]


class _Description(msgspec.Struct):
    mapping: _Mapping
    interface_types: list[str] = msgspec.field(default_factory=list, name="interface-types")
    targets: list[_Target] = []
    features: list[str] = []


class Firmware(msgspec.Struct, frozen=True):
    """UEFI's code, and the variables that a new machine begins with."""

    code: str
    variables: str


def find(machine_type: str, secure_boot: bool, places: tuple[Path, ...] = PLACES) -> Firmware:
    """The first description, by name, that fits this kind of machine. Raises `Unfit` when there is none."""
    for place in places:
        for file in sorted(place.glob("*.json")):
            found = _fitting(file, machine_type, secure_boot)
            if found is not None:
                return found
    kind = "UEFI firmware with secure boot" if secure_boot else "UEFI firmware"
    raise Unfit(f"this node has no {kind} for machines of type {machine_type}")


def _fitting(file: Path, machine_type: str, secure_boot: bool) -> Firmware | None:
    try:
        description = msgspec.json.decode(file.read_bytes(), type=_Description)
    except (OSError, msgspec.DecodeError):
        return None
    mapping = description.mapping
    if mapping.executable is None or mapping.nvram_template is None or "uefi" not in description.interface_types:
        return None
    if mapping.device != "flash" or {mapping.executable.format, mapping.nvram_template.format} != {"raw"}:
        return None
    secure = {"secure-boot", "enrolled-keys"} <= set(description.features)
    needs_more = "requires-smm" in description.features
    suits = any(
        target.architecture == "x86_64" and any(fnmatchcase(machine_type, pattern) for pattern in target.machines)
        for target in description.targets
    )
    if not suits or secure != secure_boot or (needs_more and not secure_boot):
        return None
    return Firmware(code=mapping.executable.filename, variables=mapping.nvram_template.filename)
