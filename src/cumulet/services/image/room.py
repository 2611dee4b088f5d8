"""What the image service stands on."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from cumulet.core.access.quota import UNLIMITED, Quota, UnifiedLimits
from cumulet.core.room import Room
from cumulet.drivers.image_store.base import ImageStore
from cumulet.services.image.imports.web import Outside

SIZES = ("image_size_total", "image_stage_total")
"""In MiB."""
QUOTAS = dict.fromkeys((*SIZES, "image_count_total", "image_count_uploading"), UNLIMITED)
"""What a project may hold while nobody has said otherwise."""

LARGEST = 1 << 40
"""Bytes of one image."""


@dataclass(kw_only=True)
class Image(Room):
    """The image service's room."""

    stores: Mapping[str, ImageStore]
    """Where bytes are kept, by name; the first one unless a client chooses."""
    staging: ImageStore
    """Where bytes wait for their import."""
    unified_limits: UnifiedLimits | None = None
    quota: Quota = field(init=False)
    largest: int = LARGEST
    outside: Outside = field(default_factory=Outside)
    """What imports from the web may reach."""
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, thread_name_prefix="hash"))
    receiving: set[str] = field(default_factory=set)
    """The names of the bytes that this process is receiving now."""

    def __post_init__(self) -> None:
        self.quota = Quota("image", QUOTAS, self.unified_limits)

    @property
    def default_store(self) -> str:
        return next(iter(self.stores))
