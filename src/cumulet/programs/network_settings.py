"""What the operator chooses of networks. A range is two numbers, the least and the largest."""

from __future__ import annotations

import msgspec

from cumulet.services.network.room import QUOTAS


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `network` of the settings."""

    physical_networks: tuple[str, ...] = ("public",)
    """Names of the provider's wires that nodes may be joined to; new clouds' first network is on the first."""
    vni_range: tuple[int, int] = (1, 2**24 - 1)
    """Numbers of VXLANs that projects are given by themselves."""
    vlan_range: tuple[int, int] = (1, 4094)
    """The same for VLANs, on each wire."""
    quotas: dict[str, int] = {}
    """What a project may hold while nobody has said otherwise; -1: any number. What is not named is as ever."""

    def __post_init__(self) -> None:
        if not self.physical_networks or len(set(self.physical_networks)) != len(self.physical_networks):
            raise ValueError("physical_networks needs one name or more, each once")
        for name, most in (("vni_range", 2**24 - 1), ("vlan_range", 4094)):
            first, last = getattr(self, name)
            if not 1 <= first <= last <= most:
                raise ValueError(f"{name} needs two numbers between 1 and {most}, the smaller one first")
        for name, limit in self.quotas.items():
            if name not in QUOTAS or not -1 <= limit < 2**31:
                raise ValueError(
                    f"quotas: {name[:40]} = {limit} is not a number from -1 for one of {', '.join(QUOTAS)}"
                )
