"""The operation: how candidates are asked for and shown."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.services.placement.candidates.load import load_world
from cumulet.services.placement.candidates.request import NESTED_SINCE, parse
from cumulet.services.placement.candidates.search import Candidate, Request, candidates
from cumulet.services.placement.candidates.world import Provider, World
from cumulet.services.placement.names import check_traits
from cumulet.services.placement.room import Placement
from cumulet.services.placement.verbs import Verbs

verbs = Verbs()
BY_PROVIDER_SINCE = version("1.12")
TRAITS_SINCE = version("1.17")
ALL_RESOURCES_SINCE = version("1.27")
MAPPINGS_SINCE = version("1.34")


@verbs("GET", "/allocation_candidates", "placement:allocation_candidates:list", since="1.10")
async def list_candidates(room: Placement, call: Call) -> dict[str, Any]:
    request = parse(call.request.query, call.version)
    async with room.database.read() as tx:
        for group in request.groups.values():
            await group.check_names(tx)
        await check_traits(tx, request.root_traits.names())
        world = await load_world(tx)
    found = candidates(world, request)
    return {
        "allocation_requests": _requests(found, call.version),
        "provider_summaries": _summaries(world, request, found, call.version),
    }


def _requests(found: list[Candidate], number: int) -> list[dict[str, Any]]:
    """Without mappings, two ways to serve the groups from the same shares look alike, and are shown once."""
    shown: list[dict[str, Any]] = []
    seen: set[str] = set()
    for candidate in found:
        one: dict[str, Any] = {"allocations": _shares(candidate, number)}
        if number >= MAPPINGS_SINCE:
            one["mappings"] = candidate.mappings
        identity = repr(sorted((id_, sorted(units.items())) for id_, units in candidate.allocations.items()))
        if number >= MAPPINGS_SINCE or identity not in seen:
            shown.append(one)
        seen.add(identity)
    return shown


def _shares(candidate: Candidate, number: int) -> Any:
    if number >= BY_PROVIDER_SINCE:
        return {id_: {"resources": units} for id_, units in candidate.allocations.items()}
    return [{"resource_provider": {"uuid": id_}, "resources": units} for id_, units in candidate.allocations.items()]


def _summaries(world: World, request: Request, found: list[Candidate], number: int) -> dict[str, Any]:
    """What there is to know of every provider that takes part, and from 1.29 of its whole tree."""
    ids = {id_ for candidate in found for id_ in candidate.allocations}
    if number >= NESTED_SINCE:
        roots = {world.providers[id_].root for id_ in ids}
        ids = {one.id for root in sorted(roots) for one in world.trees[root]}
    asked = {resource for group in request.groups.values() for resource in group.resources}
    return {id_: _summary(world.providers[id_], asked, number) for id_ in sorted(ids)}


def _summary(one: Provider, asked: set[str], number: int) -> dict[str, Any]:
    stock = {
        resource: {"capacity": stock.capacity, "used": stock.used}
        for resource, stock in sorted(one.stock.items())
        if number >= ALL_RESOURCES_SINCE or resource in asked
    }
    shown: dict[str, Any] = {"resources": stock}
    if number >= TRAITS_SINCE:
        shown["traits"] = sorted(one.traits)
    if number >= NESTED_SINCE:
        shown["parent_provider_uuid"] = one.parent or None
        shown["root_provider_uuid"] = one.root
    return shown
