"""What flavors and images may ask of a machine that no machine here can have. Pure.

Ignored, such a wish would be a lie to whoever relies on it: a key kept in a TPM, memory that its host cannot read, a
processor that nobody else uses.
"""

from __future__ import annotations

from collections.abc import Mapping

_WITHOUT = {
    "cpu_policy": frozenset({"shared"}),
    "numa_nodes": frozenset({"1"}),
    "mem_page_size": frozenset({"any", "small"}),
    "mem_encryption": frozenset({"false"}),
    "cpu_realtime": frozenset({"false", "no"}),
    "tpm_version": frozenset[str](),
    "pmem": frozenset[str](),
}
"""The values, of what cannot be had, that ask for nothing."""
_WHY = {
    "cpu_policy": "processors are shared by all machines",
    "numa_nodes": "a machine has one NUMA node",
    "mem_page_size": "memory comes in small pages",
    "mem_encryption": "memory is not encrypted",
    "cpu_realtime": "processors have no real-time priority",
    "tpm_version": "machines have no TPM",
    "pmem": "there is no persistent memory",
}


def unkept_by_flavor(extra_specs: Mapping[str, str]) -> str:
    """The first extra spec that cannot be met, and why; empty if there is none."""
    if extra_specs.get("pci_passthrough:alias"):
        return "pci_passthrough:alias: devices of hosts are not given to machines"
    return _unkept(extra_specs, "hw:")


def unkept_by_image(properties: Mapping[str, str]) -> str:
    """Likewise of an image's properties."""
    return _unkept(properties, "hw_")


def _unkept(wanted: Mapping[str, str], prefix: str) -> str:
    for name, harmless in _WITHOUT.items():
        value = str(wanted.get(prefix + name, "")).lower()
        if value and value not in harmless:
            return f"{prefix}{name} {value[:64]}: {_WHY[name]}"
    return ""
