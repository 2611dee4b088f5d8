"""The ledger of versions: the image API counts them, but every request is served by the newest."""

from __future__ import annotations

from typing import Any

from cumulet.core.room import Room
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint

LATEST = 18

LEDGER = {
    0: "Images, members, tags, schemas, their data.",
    1: "Patches in the form of RFC 6902.",
    2: "Metadata definitions.",
    3: "Deactivating and reactivating.",
    4: "Lists by several values.",
    5: "The visibility `community`; images are `shared` unless said otherwise.",
    6: "Imports that run after the answer.",
    7: "Digests by a named algorithm; hidden images.",
    8: "Several stores.",
    9: "The kinds of container and disk that the cloud takes.",
    10: "Imports into several stores.",
    11: "Copying into other stores.",
    12: "The tasks of an image.",
    13: "Deleting from one store.",
    14: "The cache.",
    15: "The details of stores.",
    16: "Usage against limits.",
    17: "Locations apart from the image.",
    18: "Tidying the cache.",
}


def document(origin: str) -> dict[str, Any]:
    """What is spoken here, newest first."""
    links = [{"rel": "self", "href": f"{origin}/image/v2/"}]
    return {
        "versions": [
            {"id": f"v2.{minor}", "status": "CURRENT" if minor == LATEST else "SUPPORTED", "links": links}
            for minor in range(LATEST, -1, -1)
        ]
    }


async def choose(room: Room, call: Call) -> Response:
    """At the root: several choices, as a client who named no version is told."""
    return Response.json(300, document(call.request.origin))


async def listed(room: Room, call: Call) -> Response:
    return Response.json(200, document(call.request.origin))


def roots() -> list[Endpoint]:
    return [
        Endpoint("GET", "/", choose, 300, open=True),
        Endpoint("GET", "/v2", choose, 300, open=True),
        Endpoint("GET", "/versions", listed, open=True),
    ]
