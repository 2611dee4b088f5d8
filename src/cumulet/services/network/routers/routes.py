"""A router's extra routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import REQUIRED, Field
from cumulet.services.network.attributes import clean
from cumulet.services.network.errors import HTTPBadRequest, InvalidInput
from cumulet.services.network.room import Network
from cumulet.services.network.routers.legs import legs_of
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.standard import json_text
from cumulet.services.network.wires import Routes

Route = dict[str, str]


def routes_of(router: RouterRow) -> list[Route]:
    found: list[Route] = msgspec.json.decode(router.routes)
    return found


async def checked_routes(room: Network, tx: Transaction, router: RouterRow, routes: Sequence[Route]) -> str:
    """Routes as the row keeps them. Raises for next hops that no leg reaches."""
    if len(routes) > room.most_routes:
        raise InvalidInput(
            f"Unable to complete operation for {router.id}. The number of routes exceeds the maximum "
            f"{room.most_routes}.",
            type_name="RoutesExhausted",
        )
    plain = [{"destination": route["destination"], "nexthop": route["nexthop"]} for route in routes]
    legs = await legs_of(tx, router) if plain else []
    own = {has.ip_address for leg in legs for has in leg.addresses}
    for route in plain:
        hop = route["nexthop"]
        if hop in own:
            raise _invalid(plain, "the nexthop is used by router")
        if (":" in hop) != (":" in route["destination"]):
            raise _invalid(plain, "the nexthop and the destination are of different IP versions")
        if not any(leg.reaches(hop) for leg in legs):
            raise _invalid(plain, "the nexthop is not connected with router")
    return json_text(plain)


def _invalid(routes: Sequence[Route], why: str) -> InvalidInput:
    return InvalidInput(f"Invalid format for routes: {list(routes)[:3]}, {why}", type_name="InvalidRoutes")


def given_routes(body: dict[str, Any]) -> list[Route]:
    """The routes in the body of `add_extraroutes` and `remove_extraroutes`."""
    inner = body.get("router")
    if not isinstance(inner, dict) or "routes" not in inner:
        raise HTTPBadRequest("Unable to find 'router' with 'routes' in request body")
    found: list[Route] = clean(Field("routes", Routes, create=REQUIRED), inner["routes"])
    return found
