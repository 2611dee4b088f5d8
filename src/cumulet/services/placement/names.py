"""The names of resources and traits: the standard ones that every cloud knows, and the form of an operator's own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from cumulet.core.db import Transaction
from cumulet.services.placement.errors import UnknownClass, UnknownTrait
from cumulet.services.placement.rows import ResourceClassRow, TraitRow

CUSTOM = r"^CUSTOM_[A-Z0-9_]+\Z"
FORM = r"^[A-Z0-9_]{1,255}\Z"
_NAME = re.compile(FORM)
_CUSTOM = re.compile(r"CUSTOM_[A-Z0-9_]{1,248}\Z")
SHARES = "MISC_SHARES_VIA_AGGREGATE"
"""The trait of a provider that serves all who share an aggregate with it."""

CLASSES = (
    "VCPU",
    "MEMORY_MB",
    "DISK_GB",
    "PCI_DEVICE",
    "SRIOV_NET_VF",
    "NUMA_SOCKET",
    "NUMA_CORE",
    "NUMA_THREAD",
    "NUMA_MEMORY_MB",
    "IPV4_ADDRESS",
    "VGPU",
    "VGPU_DISPLAY_HEAD",
    "NET_BW_EGR_KILOBIT_PER_SEC",
    "NET_BW_IGR_KILOBIT_PER_SEC",
    "PCPU",
    "MEM_ENCRYPTION_CONTEXT",
    "FPGA",
    "PGPU",
    "NET_PACKET_RATE_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
)


@cache
def standard_traits() -> frozenset[str]:
    """The traits that every cloud knows."""
    return frozenset((Path(__file__).parent / "standard_traits.txt").read_text(encoding="ascii").split())


def is_name(text: str) -> bool:
    """Could this name a resource, a trait or a type of consumer?"""
    return bool(_NAME.match(text))


def is_custom(name: str) -> bool:
    return bool(_CUSTOM.match(name))


async def check_classes(tx: Transaction, names: set[str]) -> None:
    """Raise UnknownClass unless every one is a resource class."""
    unknown = names.difference(CLASSES)
    if unknown:
        unknown -= {row.name for row in await tx.find(ResourceClassRow, name=sorted(unknown))}
    if unknown:
        raise UnknownClass(f"No such resource class: {_few(unknown)}.")


async def check_traits(tx: Transaction, names: set[str]) -> None:
    """Raise UnknownTrait unless every one is a trait."""
    unknown = names - standard_traits()
    if unknown:
        unknown -= {row.name for row in await tx.find(TraitRow, name=sorted(unknown))}
    if unknown:
        raise UnknownTrait(f"No such trait(s): {_few(unknown)}.")


def _few(names: set[str]) -> str:
    return ", ".join(sorted(name[:255] for name in names)[:10])
