"""What the image service stands on."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from cumulet.core.access.quota import UNLIMITED, Quota
from cumulet.core.room import Room
from cumulet.drivers.image_store.base import ImageStore

QUOTAS = dict.fromkeys(
    ("image_size_total", "image_stage_total", "image_count_total", "image_count_uploading"), UNLIMITED
)
"""What a project may hold while nobody has said otherwise; sizes in MiB."""

LARGEST = 1 << 40
"""Bytes of one image."""


@dataclass(kw_only=True)
class Image(Room):
    """The image service's room."""

    stores: Mapping[str, ImageStore]
    """Where bytes are kept, by name; the first one unless a client chooses."""
    staging: ImageStore
    """Where bytes wait for their import."""
    quota: Quota = field(default_factory=lambda: Quota("image", QUOTAS))
    largest: int = LARGEST
    import_networks: tuple[str, ...] = ()
    """Networks that imports from the web may reach besides the public internet: an operator's own mirror."""
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, thread_name_prefix="hash"))
    receiving: set[str] = field(default_factory=set)
    """The names of the bytes that this process is receiving now."""

    @property
    def default_store(self) -> str:
        return next(iter(self.stores))
