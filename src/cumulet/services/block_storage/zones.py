"""Availability zones: where nodes stand."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.block_storage.backends import services
from cumulet.services.block_storage.errors import InvalidInput
from cumulet.services.block_storage.room import BlockStorage


async def zones(room: BlockStorage) -> dict[str, bool]:
    """Each zone, and whether a volume could be made there now."""
    found = {room.zone: False}
    for one in await services(room):
        found[one.zone] = found.get(one.zone, False) or (one.up and not one.disabled)
    return found


async def check_zone(room: BlockStorage, zone: str) -> None:
    """Raise InvalidInput for a zone that is none; no word means any."""
    known = await zones(room) if zone else {}
    if zone and zone not in known:
        raise InvalidInput(f"Availability zone '{zone}' is invalid. Choose one of {', '.join(known)}.")


async def index(room: BlockStorage, call: Call) -> dict[str, Any]:
    found = await zones(room)
    return {
        "availabilityZoneInfo": [
            {"zoneName": zone, "zoneState": {"available": available}} for zone, available in sorted(found.items())
        ]
    }


ROUTES = (Endpoint("GET", "/os-availability-zone", index, name="availability_zones"),)
