"""What is done to a router step by step: its legs, its gateways and its routes, added and taken away."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.services.network.room import Network
from cumulet.services.network.routers import interfaces
from cumulet.services.network.routers.gateway import add_gateways, asked_gateways, remove_gateways, update_gateways
from cumulet.services.network.routers.proxying import enabled
from cumulet.services.network.routers.routers import routers
from cumulet.services.network.routers.routes import checked_routes, given_routes, routes_of
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.stirring import stir


@routers.verb("add_router_interface", "add_router_interface")
async def add_router_interface(
    room: Network, call: Call, tx: Transaction, row: RouterRow, body: dict[str, Any]
) -> dict[str, Any]:
    return await interfaces.add(room, tx, call, row, body)


@routers.verb("remove_router_interface", "remove_router_interface")
async def remove_router_interface(
    room: Network, call: Call, tx: Transaction, row: RouterRow, body: dict[str, Any]
) -> dict[str, Any]:
    return await interfaces.remove(room, tx, row, body)


def _gateways_of(call: Call, row: RouterRow, rule: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The gateways in a body, each of whose attributes the caller may set."""
    asked = asked_gateways(body)
    routers.allow_attributes(call, rule, {"external_gateways": asked}, routers.target_of(call, row))
    return asked


async def _regate(room: Network, tx: Transaction, row: RouterRow, columns: dict[str, Any]) -> RouterRow:
    """Write a router's gateways, and whether it still may answer for its guests."""
    proxying = await enabled(tx, row, columns, None)
    changed: RouterRow = await routers.save(room, tx, row, **columns, ndp_proxy=proxying)
    if changed is not row:
        await stir(tx, RouterRow, "router", [row.id])
    return changed


@routers.verb("add_external_gateways", "add_external_gateways")
async def add_external_gateways(
    room: Network, call: Call, tx: Transaction, row: RouterRow, body: dict[str, Any]
) -> RouterRow:
    asked = _gateways_of(call, row, "add_external_gateways", body)
    return await _regate(room, tx, row, await add_gateways(room, tx, call, row, asked))


@routers.verb("update_external_gateways", "update_external_gateways")
async def update_external_gateways(
    room: Network, call: Call, tx: Transaction, row: RouterRow, body: dict[str, Any]
) -> RouterRow:
    asked = _gateways_of(call, row, "update_external_gateways", body)
    return await _regate(room, tx, row, await update_gateways(room, tx, call, row, asked))


@routers.verb("remove_external_gateways", "remove_external_gateways")
async def remove_external_gateways(
    room: Network, call: Call, tx: Transaction, row: RouterRow, body: dict[str, Any]
) -> RouterRow:
    asked = _gateways_of(call, row, "remove_external_gateways", body)
    return await _regate(room, tx, row, await remove_gateways(room, tx, row, asked))


@routers.verb("add_extraroutes", "add_extraroutes")
async def add_extraroutes(
    room: Network, call: Call, tx: Transaction, row: RouterRow, body: dict[str, Any]
) -> RouterRow:
    before = routes_of(row)
    return await _reroute(room, tx, row, before + [route for route in given_routes(body) if route not in before])


@routers.verb("remove_extraroutes", "remove_extraroutes")
async def remove_extraroutes(
    room: Network, call: Call, tx: Transaction, row: RouterRow, body: dict[str, Any]
) -> RouterRow:
    gone = given_routes(body)
    return await _reroute(room, tx, row, [route for route in routes_of(row) if route not in gone])


async def _reroute(room: Network, tx: Transaction, row: RouterRow, routes: list[dict[str, str]]) -> RouterRow:
    changed: RouterRow = await routers.save(room, tx, row, routes=await checked_routes(room, tx, row, routes))
    if changed is not row:
        await stir(tx, RouterRow, "router", [row.id])
    return changed
