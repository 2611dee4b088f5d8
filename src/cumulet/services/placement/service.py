"""Placement's manifest."""

from __future__ import annotations

from typing import Any

from cumulet.core.room import Room
from cumulet.core.web.call import Call
from cumulet.core.web.dialects.placement import PlacementDialect
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.service import Service

EARLIEST, LATEST = "1.0", "1.39"


async def versions(room: Room, call: Call) -> dict[str, Any]:
    document = {
        "id": "v1.0",
        "max_version": LATEST,
        "min_version": EARLIEST,
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }
    return {"versions": [document]}


def service() -> Service:
    return Service(
        type="placement",
        name="placement",
        path="/placement",
        prefix="",
        dialect=PlacementDialect(service="placement", earliest=EARLIEST, latest=LATEST),
        roots=[Endpoint("GET", "/", versions, open=True)],
        description="Placement: what each node can hold, and who holds how much of it",
    )
