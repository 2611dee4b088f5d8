"""Placement's manifest."""

from __future__ import annotations

from typing import Any

from cumulet.core.room import Room
from cumulet.core.web.call import Call
from cumulet.core.web.dialects.placement import PlacementDialect
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.service import Service
from cumulet.services.placement import classes, reshaper, traits, usages
from cumulet.services.placement.allocations import resource as allocations
from cumulet.services.placement.candidates import resource as candidates
from cumulet.services.placement.inventories import resource as inventories
from cumulet.services.placement.providers import aggregates
from cumulet.services.placement.providers import resource as providers
from cumulet.services.placement.versions import EARLIEST, LATEST

NOUNS = (providers, inventories, usages, aggregates, traits, classes, allocations, candidates, reshaper)


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
        routes=[endpoint for noun in NOUNS for endpoint in noun.verbs.endpoints],
        roots=[Endpoint("GET", "/", versions, open=True)],
        description="Placement: what each node can hold, and who holds how much of it",
    )
