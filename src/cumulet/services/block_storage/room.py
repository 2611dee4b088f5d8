"""What block storage stands on: its surroundings and the doors of the rooms it calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cumulet.core.access.quota import Quota
from cumulet.core.room import Room
from cumulet.drivers.image_store.base import ImageStore
from cumulet.services.block_storage.placing.weighers import FACTORS
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
    vendor: str = "Cumulet"
    weighers: Mapping[str, float] = field(default_factory=lambda: dict(FACTORS))
    """By which pools are ranked for a new volume, and how much each counts."""
