"""The version documents: what stands at `/` and at `/v3`."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.services.identity.room import Identity

VERSION = "v3.14"
MEDIA = {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}


def _document(base: str) -> dict[str, Any]:
    return {
        "id": VERSION,
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{base}/"}],
        "media-types": [MEDIA],
    }


async def versions(room: Identity, call: Call) -> Response:
    body = {"versions": {"values": [_document(call.base)]}}
    return Response.json(300, body, {"Vary": "X-Auth-Token", "Location": f"{call.base}/"})


async def version(room: Identity, call: Call) -> dict[str, Any]:
    return {"version": _document(call.base)}


ROOTS = (
    Endpoint("GET", "/", versions, 300, open=True, name="versions"),
    Endpoint("GET", "/v3", version, 200, open=True, name="version"),
)
