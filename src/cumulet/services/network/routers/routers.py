"""The noun `router`: what a client sees and sends."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.db.engine import Collision
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, ListOf, Obj, Text, Uuid
from cumulet.services.network.agents.exclusions import include
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet, OrNull, Passed
from cumulet.services.network.flavors.choosing import made_ha
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.operations import erase
from cumulet.services.network.room import Network
from cumulet.services.network.routers.errors import RouterInUse, RouterNotFound
from cumulet.services.network.routers.gateway import (
    NO_GATEWAY,
    set_gateway,
)
from cumulet.services.network.routers.legs import legs_of
from cumulet.services.network.routers.proxying import enabled
from cumulet.services.network.routers.routes import checked_routes
from cumulet.services.network.routers.row import ConntrackHelperRow, RouterRow
from cumulet.services.network.routers.standby import disband, ensure_network, number_of
from cumulet.services.network.standard import STANDARD, json_text, standard
from cumulet.services.network.stirring import depart, stir
from cumulet.services.network.wires import FixedIps, Routes

GatewayInfo = Obj(
    Field("network_id", Uuid.or_null(), create=OPTIONAL),
    Field("enable_snat", Bool.or_null(), create=OPTIONAL),
    Field("external_fixed_ips", FixedIps.or_null(), create=OPTIONAL),
).or_null()

routers = Noun(
    "/routers",
    "router",
    "routers",
    RouterRow,
    [
        *STANDARD,
        Facet(
            "router",
            "Routers",
            (
                Field("admin_state_up", Bool, create=True, update=OPTIONAL, source="admin_up"),
                Field("status", Text()),
                Field("external_gateway_info", GatewayInfo, create=None, update=OPTIONAL, source=Passed("gateway")),
            ),
        ),
        Facet("ext-gw-mode", "Source translation at the gateway"),
        Facet(
            "external-gateway-multihoming",
            "Several gateways of a router",
            (Field("external_gateways", Text(), source=Passed("gateways")),),
        ),
        Facet(
            "enable-default-route-ecmp",
            "Flows leave by all gateways in turn",
            (Field("enable_default_route_ecmp", Bool, create=False, update=OPTIONAL, source="ecmp"),),
        ),
        Facet(
            "enable-default-route-bfd",
            "Gateways whose next hop is silent are passed over",
            (Field("enable_default_route_bfd", Bool, create=False, update=OPTIONAL, source="bfd"),),
        ),
        Facet(
            "extraroute", "Extra routes", (Field("routes", Routes.or_null(), update=OPTIONAL, source=Passed("routes")),)
        ),
        Facet("extraroute-atomic", "Extra routes one by one"),
        Facet(
            "router_availability_zone",
            "Availability zones of routers",
            (
                Field("availability_zone_hints", ListOf(Text(), most=8), create=OPTIONAL, source=Passed("zone_hints")),
                Field(
                    "availability_zones",
                    Text(),
                    source=lambda row, call: (msgspec.json.decode(row.zone_hints) or ["nova"]) if row.host else [],
                ),
            ),
        ),
        Facet(
            "l3-ha",
            "Routers that several nodes hold",
            (Field("ha", Bool, create=OPTIONAL, update=OPTIONAL, rule="get_router:ha"),),
        ),
        Facet(
            "l3-ndp-proxy",
            "IPv6 addresses of guests that routers answer for",
            (Field("enable_ndp_proxy", Bool.or_null(), create=OPTIONAL, update=OPTIONAL, source="ndp_proxy"),),
        ),
        Facet(
            "l3-flavors",
            "Flavors of routers",
            (Field("flavor_id", Text(255).or_null(), create=OPTIONAL, source=OrNull("flavor_id")),),
        ),
        Facet(
            "expose-l3-conntrack-helper",
            "Conntrack helpers in routers",
            (Field("conntrack_helpers", Text(), source=Passed("helpers")),),
        ),
    ],
    missing=RouterNotFound,
    quota="router",
    sees=None,
)
routers.reads()


@routers.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> RouterRow:
    return await make(room, tx, call, wish)


async def make(room: Network, tx: Transaction, call: Call, wish: dict[str, Any]) -> RouterRow:
    """Insert a router, with its gateway if it is to have one."""
    if wish.get("flavor_id"):
        wish["ha"] = await made_ha(tx, wish["flavor_id"], wish)
    row = await insert(room, tx, wish)
    info = wish.get("external_gateway_info")
    if info and info.get("network_id"):
        columns = await set_gateway(room, tx, call, row, info)
        columns["ndp_proxy"] = await enabled(tx, row, columns, wish.get("enable_ndp_proxy"))
        await tx.update(RouterRow, {"id": row.id}, **columns)
        await stir(tx, RouterRow, "router", [row.id])
        row = msgspec.structs.replace(row, **columns)
    else:
        await enabled(tx, row, {}, wish.get("enable_ndp_proxy"))
    return row


async def insert(room: Network, tx: Transaction, wish: dict[str, Any]) -> RouterRow:
    """Insert a router without legs."""
    row = RouterRow(
        **standard(wish, room.clock),
        admin_up=wish.get("admin_state_up", True),
        status="ACTIVE",
        **NO_GATEWAY,
        ecmp=wish.get("enable_default_route_ecmp", False),
        bfd=wish.get("enable_default_route_bfd", False),
        routes="[]",
        zone_hints=json_text(wish.get("availability_zone_hints", [])),
        helpers="[]",
        ndp_proxy=False,
        host="",
        ha=wish.get("ha", False),
        ha_number=await number_of(tx, wish["project_id"]) if wish.get("ha") else None,
        flavor_id=wish.get("flavor_id") or "",
        by_hand=False,
        rests_at=0,
        generation=1,
        unsettled=False,
    )
    try:
        await tx.insert(row)
    except Duplicate as race:  # its number was taken meanwhile
        raise Collision("number") from race
    if row.ha:
        await ensure_network(room, tx, row.project_id)
    return row


@routers.updating
async def update(room: Network, call: Call, tx: Transaction, row: RouterRow, wish: dict[str, Any]) -> RouterRow:
    changes: dict[str, Any] = {name: wish[name] for name in ("name", "description") if name in wish}
    for name in ("admin_state_up", "enable_default_route_ecmp", "enable_default_route_bfd"):
        if name in wish:
            changes[routers.columns[name]] = wish[name]
    if wish.get("ha", row.ha) != row.ha:
        changes |= await _held(room, tx, row, several=wish["ha"])
    if "external_gateway_info" in wish:
        changes |= await set_gateway(room, tx, call, row, wish["external_gateway_info"])
    if {"enable_ndp_proxy", "external_gateway_info"} & set(wish):
        changes["ndp_proxy"] = await enabled(tx, row, changes, wish.get("enable_ndp_proxy"))
    if "routes" in wish:
        changes["routes"] = await checked_routes(room, tx, row, wish["routes"] or [])
    try:
        changed: RouterRow = await routers.save(room, tx, row, **changes)
    except Duplicate as race:
        raise Collision("number") from race
    if changed is not row:
        await stir(tx, RouterRow, "router", [row.id])
    return changed


async def _held(room: Network, tx: Transaction, row: RouterRow, *, several: bool) -> dict[str, Any]:
    """The columns of a router that several nodes are to hold from now on, or only one."""
    if row.admin_up:
        raise InvalidInput(
            "Bad router request: Cannot change HA attribute of active routers. Please set router admin_state_up to "
            "False prior to upgrade.",
            type_name="BadRequest",
        )
    if several:
        return {"ha": True, "ha_number": await number_of(tx, row.project_id)}
    await disband(room, tx, row)
    return {"ha": False, "ha_number": None}


@routers.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: RouterRow) -> None:
    legs = await legs_of(tx, row)
    if any(not leg.is_gateway for leg in legs):
        raise RouterInUse(f"Router {row.id} still has ports")
    if legs:
        await set_gateway(room, tx, call, row, None)
    for leg in legs:
        await erase(room, tx, leg.port)
    if row.ha:
        await disband(room, tx, row)
    await include(tx, row.id)
    await tx.delete(ConntrackHelperRow, router_id=row.id)
    await depart(tx, "router", row.id)
