"""Availability zones, and the older list of hosts."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import BadRequest, NotOffered
from cumulet.core.web.body import OPTIONAL, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Enum
from cumulet.lib.clock import iso_micros
from cumulet.services.compute.errors import HostNotFound
from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.hosts import zones
from cumulet.services.compute.room import ZONE, Compute
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.row import ServerRow

RULE = "os_compute_api:os-availability-zone:"
HOSTS = "os_compute_api:os-hosts:"


async def _by_zone(room: Compute) -> dict[str, list[str]]:
    """Zones and the hosts in them."""
    found: dict[str, list[str]] = {}
    for host, zone in sorted((await zones(room)).items()):
        found.setdefault(zone, []).append(host)
    return found or {ZONE: []}


async def index(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "list")
    usable = {node.name for node in await room.fleet.nodes() if not node.disabled}
    return {
        "availabilityZoneInfo": [
            {"zoneName": zone, "zoneState": {"available": bool(usable & set(hosts)) or not hosts}, "hosts": None}
            for zone, hosts in (await _by_zone(room)).items()
        ]
    }


async def detail(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "detail")
    nodes = {node.name: node for node in await room.fleet.nodes()}
    shown = []
    for zone, hosts in (await _by_zone(room)).items():
        services = {
            host: {
                "nova-compute": {
                    "available": nodes[host].alive,
                    "active": not nodes[host].disabled,
                    "updated_at": iso_micros(nodes[host].last_seen),
                }
            }
            for host in hosts
            if host in nodes
        }
        available = any(host in nodes and not nodes[host].disabled for host in hosts)
        shown.append({"zoneName": zone, "zoneState": {"available": available or not hosts}, "hosts": services})
    return {"availabilityZoneInfo": shown}


# ---- os-hosts, until 2.42 ---------------------------------------------------------------------------------------


async def list_hosts(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(HOSTS + "list")
    wanted, service = call.request.one("zone") or None, call.request.one("service") or None
    return {
        "hosts": [
            {"host_name": host, "service": "compute", "zone": zone}
            for host, zone in sorted((await zones(room)).items())
            if wanted in (None, zone) and service in (None, "compute")
        ]
    }


async def show_host(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(HOSTS + "show")
    host = call.path["host"]
    node = await room.fleet.node(host)
    if node is None:
        raise HostNotFound(f"Compute host {host[:64]} could not be found.")
    async with room.database.read() as tx:
        servers = await tx.find(ServerRow, host=host, deleted_at=0)
    facts = node.facts
    everything = [(row.project_id, flavor_of(row)) for row in servers]
    rows = [
        _resource(host, "(total)", facts.vcpus, facts.memory_mib, facts.disk_gib),
        _sum(host, "(used_now)", everything),
        _sum(host, "(used_max)", everything),
    ]
    rows += [_sum(host, project, [e for e in everything if e[0] == project]) for project in sorted({*_of(everything)})]
    return {"host": rows}


def _of(everything: list[tuple[str, Flavor]]) -> list[str]:
    return [project for project, _ in everything]


def _sum(host: str, project: str, found: list[tuple[str, Flavor]]) -> dict[str, Any]:
    sizes = [flavor for _, flavor in found]
    return _resource(
        host, project, sum(f.vcpus for f in sizes), sum(f.ram for f in sizes), sum(f.disk + f.ephemeral for f in sizes)
    )


def _resource(host: str, project: str, cpu: int, memory: int, disk: int) -> dict[str, Any]:
    return {"resource": {"host": host, "project": project, "cpu": cpu, "memory_mb": memory, "disk_gb": disk}}


Update = Body(
    "",
    (
        Field("status", Enum("enable", "disable", ignore_case=True), create=OPTIONAL),
        Field("maintenance_mode", Enum("enable", "disable", ignore_case=True), create=OPTIONAL),
    ),
)


async def update_host(room: Compute, call: Call) -> dict[str, Any]:
    """Until 2.42 this was how a host was kept from new servers."""
    call.allow(HOSTS + "update")
    host, wish = call.path["host"], call.wish
    if not wish:
        raise BadRequest("Invalid input: give a status or a maintenance_mode")
    if await room.fleet.node(host) is None:
        raise HostNotFound(f"Compute host {host[:64]} could not be found.")
    if "maintenance_mode" in wish:
        raise NotOffered("Virt driver does not implement host maintenance mode.")
    await room.fleet.set_disabled(host, wish["status"] == "disable", "")
    return {"host": host, "status": f"{wish['status']}d"}


async def host_power(room: Compute, call: Call) -> None:
    """No hypervisor of a cloud of this kind ever did this; it is said in the words of before."""
    call.allow(HOSTS + "reboot")
    if await room.fleet.node(call.path["host"]) is None:
        raise HostNotFound(f"Compute host {call.path['host'][:64]} could not be found.")
    raise NotOffered("Virt driver does not implement host power management.")


ROUTES = (
    Endpoint("GET", "/os-availability-zone", index, name="availability_zones"),
    Endpoint("GET", "/os-availability-zone/detail", detail, name="availability_zones_detail"),
    Endpoint("GET", "/os-hosts", list_hosts, until="2.42", name="hosts"),
    Endpoint("GET", "/os-hosts/{host}", show_host, until="2.42", name="host"),
    Endpoint("PUT", "/os-hosts/{host}", update_host, until="2.42", body=Update, name="host_update"),
    Endpoint("GET", "/os-hosts/{host}/startup", host_power, until="2.42", name="host_startup"),
    Endpoint("GET", "/os-hosts/{host}/shutdown", host_power, until="2.42", name="host_shutdown"),
    Endpoint("GET", "/os-hosts/{host}/reboot", host_power, until="2.42", name="host_reboot"),
)
