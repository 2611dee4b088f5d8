"""Block storage's door: what compute may ask of it, and what nodes get for their volumes.

Topic woken: `attachment` with a server's id, when something about its volumes changed.
"""

from __future__ import annotations

from functools import cached_property

from cumulet.core.web.within import Within
from cumulet.services.block_storage.public.attachments import Attachments
from cumulet.services.block_storage.public.sending import Sending
from cumulet.services.block_storage.public.views import Promise, SnapshotView, VolumeView
from cumulet.services.block_storage.public.volumes import Volumes
from cumulet.services.block_storage.service import service

__all__ = ["Promise", "SnapshotView", "VolumeDoor", "VolumeView"]


class VolumeDoor(Volumes, Attachments, Sending):
    """What other rooms may ask of block storage."""

    @cached_property
    def api(self) -> Within:
        """This service's whole API, for rooms that pass a caller's request on."""
        return Within(service(), self._room)
