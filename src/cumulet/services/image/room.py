"""What the image service stands on."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from cumulet.core.access.quota import UNLIMITED, Quota, UnifiedLimits
from cumulet.core.room import Room
from cumulet.drivers.image_store.base import ImageStore
from cumulet.drivers.image_store.web import Outside
from cumulet.drivers.image_store.workshop import Workshop

SIZES = ("image_size_total", "image_stage_total")
"""In MiB."""
QUOTAS = dict.fromkeys((*SIZES, "image_count_total", "image_count_uploading"), UNLIMITED)
"""What a project may hold while nobody has said otherwise."""

LARGEST = 1 << 40
"""Bytes of one image."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What is told of a store."""

    description: str = ""
    weight: int = 0
    """Where an image lies in several stores, it is read from the one with the greatest."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """What administrators see of how it is reached; no secrets."""


@dataclass(kw_only=True)
class Image(Room):
    """The image service's room."""

    stores: Mapping[str, ImageStore]
    """Where bytes are kept, by name; the first one unless a client chooses."""
    web_store: str = ""
    """The name of the store that reads from web servers; empty: there is none, and what lies there is copied."""
    offers: Mapping[str, Offer] = field(default_factory=dict)
    """What the operator says of his stores."""
    show_locations: bool = False
    """Owners see where their images lie, and may change it."""
    show_direct_url: bool = False
    require_image_format_match: bool = True
    """What is not the format it is declared as is refused; else it is kept, though no node starts from it."""
    secure_hash: bool = True
    """What is only read is hashed too."""
    import_format: str = ""
    """What imported disks are converted to; empty: they stay what they are."""
    workshop: Workshop | None = None
    """Where that is done."""
    cache: ImageStore | None = None
    """Copies near this process; None: it keeps none."""
    cache_limit: int = 0
    """Bytes."""
    place: str = ""
    """The address of this process, among those that share its database."""
    staging: ImageStore
    """Where bytes wait for their import."""
    unified_limits: UnifiedLimits | None = None
    quota: Quota = field(init=False)
    largest: int = LARGEST
    outside: Outside = field(default_factory=Outside)
    """What may be read on web servers."""
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, thread_name_prefix="hash"))
    receiving: set[str] = field(default_factory=set)
    """The names of the bytes that this process is receiving now."""

    def __post_init__(self) -> None:
        self.quota = Quota("image", QUOTAS, self.unified_limits)

    def offer(self, store: str) -> Offer:
        return self.offers.get(store, Offer())

    def weight(self, store: str) -> int:
        return self.offer(store).weight

    @property
    def default_store(self) -> str:
        return next(iter(self.stores))
