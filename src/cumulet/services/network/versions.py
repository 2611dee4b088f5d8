"""The version documents, and the list of what lies below the version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network


async def _versions(room: Network, call: Call) -> dict[str, Any]:
    link = {"rel": "self", "href": f"{call.base}/"}
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}


def roots() -> list[Endpoint]:
    """`GET /`: which versions there are; anybody may ask."""
    return [Endpoint("GET", "/", _versions, open=True, name="list_versions")]


def resources_endpoint(nouns: Sequence[Noun]) -> Endpoint:
    """`GET /v2.0/`: the nouns and where they are."""
    listed = [noun for noun in nouns if "{" not in noun.path]

    async def show(room: Network, call: Call) -> dict[str, Any]:
        return {
            "resources": [
                {
                    "name": noun.one,
                    "collection": noun.many,
                    "links": [{"rel": "self", "href": call.base + noun.path}],
                }
                for noun in listed
            ]
        }

    return Endpoint("GET", "/", show, open=True, name="show_version")
