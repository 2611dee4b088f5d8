"""What block storage stands on: its surroundings and the doors of the rooms it calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from cumulet.core.access.quota import Quota
from cumulet.core.room import Room
from cumulet.drivers.image_store.base import ImageStore
from cumulet.services.fleet.public import FleetDoor
from cumulet.services.image.public import ImageDoor

QUOTAS = {
    "volumes": 10,
    "snapshots": 10,
    "gigabytes": 1000,
    "backups": 10,
    "backup_gigabytes": 1000,
    "per_volume_gigabytes": -1,
    "groups": 10,
}
"""What a project may hold while nobody has said otherwise; the real service's defaults."""


class Seal(Protocol):
    """Encrypts what is kept, such that nobody who has only the database can read or forge it."""

    def encrypt(self, data: bytes) -> bytes: ...

    def decrypt(self, token: bytes) -> bytes: ...


@dataclass(kw_only=True)
class BlockStorage(Room):
    """The block storage service's room."""

    fleet: FleetDoor
    image: ImageDoor
    seal: Seal
    """What the keys of encrypted volumes are kept under."""
    backup_store: ImageStore
    """Where the bytes of backups lie: a store of objects under ids, like one of images, but never the same one."""
    quota: Quota = field(default_factory=lambda: Quota("block_storage", QUOTAS))
    zone: str = "nova"
    default_type: str = "__DEFAULT__"
    always_exports: bool = False
    """Volumes are reached over the network even by machines on their own node: slower, but these can then move live."""
    backend: str = "local"
    """The backend that every node has: files in a directory."""
    vendor: str = "Cumulet"
    protocol: str = "file"

    @property
    def offers(self) -> dict[str, str]:
        """What the backend can do, under the names that volume types ask for."""
        return {
            "volume_backend_name": self.backend,
            "vendor_name": self.vendor,
            "storage_protocol": self.protocol,
            "multiattach": "True",
            "thin_provisioning_support": "True",
            "thick_provisioning_support": "False",
            "QoS_support": "False",
            "replication_enabled": "False",
        }
