"""What compute stands on: its surroundings and the doors of the rooms it calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from cumulet.core.access.quota import Quota
from cumulet.core.room import Room
from cumulet.services.block_storage.public import VolumeDoor
from cumulet.services.compute.placing.recent import Recent
from cumulet.services.fleet.public import FleetDoor
from cumulet.services.identity.public import IdentityDoor
from cumulet.services.image.public import ImageDoor
from cumulet.services.network.public import NetworkDoor
from cumulet.services.placement.public import PlacementDoor

QUOTAS = {
    "instances": 10,
    "cores": 20,
    "ram": 50 * 1024,
    "metadata_items": 128,
    "injected_files": 5,
    "injected_file_content_bytes": 10 * 1024,
    "injected_file_path_bytes": 255,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
    "fixed_ips": -1,
    "floating_ips": -1,
    "security_groups": -1,
    "security_group_rules": -1,
}
"""What a project may hold while nobody has said otherwise; the real service's defaults.

The last four moved to network; only clients of before 2.36 still ask here, where nothing of them is counted.
"""

UNLISTED = {"disk": -1}
"""What only unified limits can bound: no quota set has a name for it. In GiB."""

REGISTERED_AS = {
    "instances": "servers",
    "cores": "class:VCPU",
    "ram": "class:MEMORY_MB",
    "disk": "class:DISK_GB",
    "metadata_items": "server_metadata_items",
    "injected_files": "server_injected_files",
    "injected_file_content_bytes": "server_injected_file_content_bytes",
    "injected_file_path_bytes": "server_injected_file_path_bytes",
    "key_pairs": "server_key_pairs",
}
"""What identity's unified limits call these; the others have one name."""

ZONE = "nova"
"""The zone of nodes that say none; under the name that clients expect."""


@dataclass(kw_only=True)
class Compute(Room):
    """The compute service's room."""

    images: ImageDoor
    networks: NetworkDoor
    volumes: VolumeDoor
    placement: PlacementDoor
    fleet: FleetDoor
    identity: IdentityDoor
    quota: Quota = field(init=False)
    recent: Recent = field(init=False)
    console_url: str = ""
    """Where the console proxy stands, such as `http://host:6080/vnc_lite.html`; empty: this service's own."""

    def __post_init__(self) -> None:
        self.recent = Recent(self.clock)
        self.bus.listen("node", lambda key: self.recent.forget())
        self.quota = Quota(
            "compute", {**QUOTAS, **UNLISTED}, partial(self.identity.allowance, "compute"), REGISTERED_AS
        )
