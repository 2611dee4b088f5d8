"""Floating IPs, as compute showed and gave them until 2.35, and to servers until 2.43."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import BadRequest, Conflict, NotFound
from cumulet.core.web.body import OPTIONAL, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Ip, Nullable, Text
from cumulet.services.compute.proxies.passing import LAST, ask, missing, named
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.actions import given
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow

RULE = "os_compute_api:os-floating-ips:"
FLOATING = "/floatingips"
Wish = Body("", (Field("pool", Nullable(Text(255)), create=OPTIONAL),), optional=True)


async def pools_of(room: Compute, call: Call) -> dict[str, str]:
    """The networks that floating IPs come from: name by id."""
    found = await ask(room.networks.api, call, "GET", "/networks", query=[("router:external", "True")])
    return {network["id"]: network["name"] for network in found["networks"]}


async def servers_of(room: Compute, call: Call, port_ids: list[str]) -> dict[str, str]:
    """The server that each port belongs to."""
    if not port_ids:
        return {}
    found = await ask(room.networks.api, call, "GET", "/ports", query=[("id", port) for port in port_ids])
    return {port["id"]: port["device_id"] for port in found["ports"] if port["device_id"]}


def shown(floating: dict[str, Any], pools: dict[str, str], servers: dict[str, str]) -> dict[str, Any]:
    network = floating["floating_network_id"]
    return {
        "id": floating["id"],
        "ip": floating["floating_ip_address"],
        "pool": pools.get(network) or network,
        "fixed_ip": floating["fixed_ip_address"],
        "instance_id": servers.get(floating["port_id"] or ""),
    }


async def shown_all(room: Compute, call: Call, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pools = await pools_of(room, call)
    servers = await servers_of(room, call, [one["port_id"] for one in found if one["port_id"]])
    return [shown(one, pools, servers) for one in found]


async def index(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "list")
    query = [("project_id", call.caller.project_id)]
    found = (await ask(room.networks.api, call, "GET", FLOATING, query=query))["floatingips"]
    return {"floating_ips": await shown_all(room, call, found)}


async def show(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "show")
    found = await ask(room.networks.api, call, "GET", f"{FLOATING}/{named(call)}")
    return {"floating_ip": (await shown_all(room, call, [found["floatingip"]]))[0]}


async def create(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "create")
    pools, asked = await pools_of(room, call), call.wish.get("pool")
    chosen = [key for key, name in pools.items() if not asked or asked in (key, name)]
    if not chosen:
        raise missing("Floating IP pool", asked) if asked else NotFound("No more floating IPs available.")
    body = {"floatingip": {"floating_network_id": chosen[0]}}
    made = await ask(room.networks.api, call, "POST", FLOATING, body)
    return {"floating_ip": shown(made["floatingip"], pools, {})}


async def delete(room: Compute, call: Call) -> None:
    call.allow(RULE + "delete")
    await ask(room.networks.api, call, "DELETE", f"{FLOATING}/{named(call)}")


async def pools(room: Compute, call: Call) -> dict[str, Any]:
    call.allow("os_compute_api:os-floating-ip-pools")
    return {"floating_ip_pools": [{"name": name or key} for key, name in (await pools_of(room, call)).items()]}


# ---- of servers --------------------------------------------------------------------------------------------------


async def by_address(room: Compute, call: Call, address: str) -> dict[str, Any]:
    query = [("floating_ip_address", address)]
    found = (await ask(room.networks.api, call, "GET", FLOATING, query=query))["floatingips"]
    if not found:
        raise missing("Floating IP", address)
    floating: dict[str, Any] = found[0]
    return floating


@servers.action(
    "addFloatingIp",
    RULE + "add",
    given("address", Ip),
    given("fixed_address", Nullable(Ip), OPTIONAL),
    until="2.43",
)
async def add(room: Compute, call: Call, row: ServerRow) -> None:
    wanted = call.wish.get("fixed_address")
    fixed = [
        (nic.port_id, address.ip)
        for nic in await room.networks.nics(row.id)
        for address in nic.addresses
        if address.version == 4
    ]
    if not fixed:
        raise BadRequest("No fixed IPs associated to instance")
    chosen = [(port, ip) for port, ip in fixed if wanted in (None, ip)]
    if not chosen:
        raise BadRequest("Specified fixed address not assigned to instance")
    floating = await by_address(room, call, call.wish["address"])
    port_id, ip = chosen[0]
    body = {"floatingip": {"port_id": port_id, "fixed_ip_address": ip}}
    await ask(room.networks.api, call, "PUT", f"{FLOATING}/{floating['id']}", body)


@servers.action("removeFloatingIp", RULE + "remove", given("address", Ip), until="2.43")
async def remove(room: Compute, call: Call, row: ServerRow) -> None:
    floating = await by_address(room, call, call.wish["address"])
    if floating["port_id"] not in {nic.port_id for nic in await room.networks.nics(row.id)}:
        raise Conflict(f"Floating IP {call.wish['address']} is not associated with instance {row.id}.")
    body = {"floatingip": {"port_id": None}}
    await ask(room.networks.api, call, "PUT", f"{FLOATING}/{floating['id']}", body)


ROUTES = (
    Endpoint("GET", "/os-floating-ips", index, until=LAST, name="floating_ips"),
    Endpoint("POST", "/os-floating-ips", create, until=LAST, body=Wish, name="create_floating_ip"),
    Endpoint("GET", "/os-floating-ips/{id}", show, until=LAST, name="floating_ip"),
    Endpoint("DELETE", "/os-floating-ips/{id}", delete, 202, until=LAST, name="delete_floating_ip"),
    Endpoint("GET", "/os-floating-ip-pools", pools, until=LAST, name="floating_ip_pools"),
)
