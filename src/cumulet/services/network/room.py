"""What the network service stands on: its surroundings, the fleet's door, and what the operator chose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cumulet.core.access.quota import Quota
from cumulet.core.room import Room

if TYPE_CHECKING:
    from cumulet.services.fleet.public import FleetDoor
    from cumulet.services.placement.public import PlacementDoor

QUOTAS = {
    "network": 100,
    "subnet": 100,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "security_group": 10,
    "security_group_rule": 100,
    "subnetpool": -1,
    "rbac_policy": 10,
    "trunk": -1,
}
"""What a project may hold while nobody has said otherwise; the real service's defaults."""


@dataclass(kw_only=True)
class Network(Room):
    """The network service's room."""

    fleet: FleetDoor
    placement: PlacementDoor
    quota: Quota = field(default_factory=lambda: Quota("network", QUOTAS))
    vni_range: tuple[int, int] = (1, 2**24 - 1)
    vlan_range: tuple[int, int] = (1, 4094)
    physical_networks: tuple[str, ...] = ("public",)
    """Names of the provider's wires that nodes may be joined to."""
    physical_mtu: int = 1500
    dns_domain: str = "openstacklocal."
    base_mac: tuple[int, int, int] = (0xFA, 0x16, 0x3E)
    most_fixed_ips: int = 5
    most_host_routes: int = 20
    most_name_servers: int = 5
    most_routes: int = 30
    most_address_pairs: int = 10
    most_meter_rules: int = 1000
    most_gateways: int = 8
    """Of one router."""
    most_uncounted: int = 2000
    """Of each noun that has no quota, in one project."""
    most_standbys: int = 3
    """Nodes that hold a router together."""
