"""The list of extensions, derived from the facets that the service's nouns include."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cumulet.core.errors import NotFound
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.network.facets import Facet
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network


class ExtensionNotFound(NotFound):
    pass


MANNERS = (
    Facet("project-id", "project_id as another name of tenant_id"),
    Facet("pagination", "Lists in pages"),
    Facet("sorting", "Sorted lists"),
    Facet("filter-validation", "Unknown filters are refused"),
    Facet("empty-string-filtering", "Filters for empty text"),
)
"""What every list of this service can do."""


def facets_of(nouns: Iterable[Noun], *others: Facet) -> dict[str, Facet]:
    """Every facet that is served, by its alias."""
    found = [facet for noun in nouns for facet in noun.facets] + [*MANNERS, *others]
    return {facet.alias: facet for facet in sorted(found, key=lambda facet: facet.alias) if facet.alias}


def extension_endpoints(nouns: Sequence[Noun], *others: Facet) -> list[Endpoint]:
    """`GET /extensions` and `GET /extensions/{alias}` for these nouns."""
    served = {alias: _shown(facet) for alias, facet in facets_of(nouns, *others).items()}

    async def index(room: Network, call: Call) -> dict[str, Any]:
        return {"extensions": list(served.values())}

    async def show(room: Network, call: Call) -> dict[str, Any]:
        alias = call.path["alias"]
        if alias not in served:
            raise ExtensionNotFound(f"Extension with alias {alias[:64]} does not exist")
        return {"extension": served[alias]}

    return [
        Endpoint("GET", "/extensions", index, name="list_extensions"),
        Endpoint("GET", "/extensions/{alias}", show, name="show_extension"),
    ]


def _shown(facet: Facet) -> dict[str, Any]:
    return {
        "alias": facet.alias,
        "name": facet.title,
        "description": f"{facet.title}.",
        "updated": "2026-11-23T00:00:00-00:00",
        "links": [],
    }
