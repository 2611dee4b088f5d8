"""The network service's door, the only part of it that other rooms import.

Compute comes through it with a server's ports: it asks whether they can be had (`admission`), has them made, bound and
freed (`connecting`), and reads what there is (`looking`). Whoever passes a caller's request on uses the `api` itself.

Topic woken: `device` with a device's id, when anything about its ports changes.
"""

from __future__ import annotations

from functools import cached_property

from cumulet.core.web.within import Within
from cumulet.services.network.public.admission import Admission
from cumulet.services.network.public.connecting import Connecting
from cumulet.services.network.public.views import AddressView, MeterView, NicRequest, NicView
from cumulet.services.network.qos.requests import ResourceRequest
from cumulet.services.network.service import service

__all__ = ["AddressView", "MeterView", "NetworkDoor", "NicRequest", "NicView", "ResourceRequest"]


class NetworkDoor(Admission, Connecting):
    """What other rooms may ask of the network service."""

    @cached_property
    def api(self) -> Within:
        """This service's whole API, for rooms that pass a caller's request on."""
        return Within(service(), self._room)
