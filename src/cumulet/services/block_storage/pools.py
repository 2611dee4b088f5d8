"""Pools: where volumes are made, how much room is there, and what the backend can do."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import BadRequest
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import parse_bool
from cumulet.lib.clock import iso_micros
from cumulet.services.block_storage.errors import ServiceNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.services import host_of
from cumulet.services.block_storage.volumes.reconciler import given_out
from cumulet.services.fleet.public import NodeView

DRIVER_VERSION = "1.0"


def _capabilities(room: BlockStorage, node: NodeView, taken: int) -> dict[str, Any]:
    now = iso_micros(node.last_seen)
    return {
        "volume_backend_name": room.backend,
        "vendor_name": room.vendor,
        "storage_protocol": room.protocol,
        "driver_version": DRIVER_VERSION,
        "total_capacity_gb": node.facts.disk_gib,
        "free_capacity_gb": max(0, node.facts.disk_gib - taken),
        "provisioned_capacity_gb": taken,
        "allocated_capacity_gb": taken,
        "reserved_percentage": 0,
        "max_over_subscription_ratio": "1.0",
        "thin_provisioning_support": True,
        "thick_provisioning_support": False,
        "QoS_support": False,
        "multiattach": True,
        "backend_state": "up" if node.alive else "down",
        "location_info": None,
        "updated": now,
        "timestamp": now,
    }


async def get_pools(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow("scheduler_extension:scheduler_stats:get_pools")
    try:
        detail = parse_bool(call.request.one("detail") or "false")
    except ValueError as error:
        raise BadRequest(f"Invalid value for 'detail': {error}") from error
    taken = await given_out(room)
    pools: list[dict[str, Any]] = []
    for node in await room.fleet.nodes():
        pool: dict[str, Any] = {"name": f"{host_of(room, node)}#{room.backend}"}
        if detail:
            pool["capabilities"] = _capabilities(room, node, taken.get(node.name, 0))
        pools.append(pool)
    asked = call.request.one("name")
    return {"pools": [pool for pool in pools if asked in (None, pool["name"])]}


_PROPERTIES = {
    "thin_provisioning": ("Thin Provisioning", "Volumes take the room that was written, not the room that was asked."),
    "multiattach": ("Multiattach", "Volumes of types with multiattach can be attached to several servers."),
}


async def capabilities(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow("volume_extension:capabilities")
    host = call.path["host"]
    if not any(host in (host_of(room, node), node.name) for node in await room.fleet.nodes()):
        raise ServiceNotFound(f"Service cinder-volume could not be found on host {host[:64]}.")
    return {
        "namespace": f"OS::Storage::Capabilities::{host}",
        "vendor_name": room.vendor,
        "volume_backend_name": room.backend,
        "pool_name": None,
        "driver_version": DRIVER_VERSION,
        "storage_protocol": room.protocol,
        "display_name": None,
        "description": None,
        "visibility": None,
        "replication_targets": [],
        "properties": {
            name: {"title": title, "description": description, "type": "boolean"}
            for name, (title, description) in _PROPERTIES.items()
        },
    }


ROUTES = (
    Endpoint("GET", "/scheduler-stats/get_pools", get_pools, name="pools"),
    Endpoint("GET", "/capabilities/{host}", capabilities, name="capabilities"),
)
