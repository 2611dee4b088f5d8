"""Pools: where volumes are made, how much room is there, and what the backend can do."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.lib.clock import iso_micros
from cumulet.services.block_storage.asking import flag
from cumulet.services.block_storage.backends import GivenOut, Pool, given_out, pools
from cumulet.services.block_storage.errors import ServiceNotFound
from cumulet.services.block_storage.placing.pools import Candidate
from cumulet.services.block_storage.room import BlockStorage

DRIVER_VERSION = "1.0"


def candidate(room: BlockStorage, pool: Pool, taken: GivenOut) -> Candidate:
    """A pool as the choice of a place for a volume sees it."""
    storage, terms = pool.storage, pool.speaker.facts.terms
    return Candidate(
        name=pool.name,
        nodes=frozenset(one.node.name for one in pool.services),
        zones=frozenset(one.zone for one in pool.services),
        alive=any(one.node.alive for one in pool.services),
        disabled=pool.disabled,
        fault=storage.fault,
        total_gib=storage.total_gib,
        free_gib=storage.free_gib,
        given_out_gib=taken.gib,
        volumes=taken.volumes,
        reserved_percentage=terms.reserved_percentage,
        ratio=terms.max_over_subscription_ratio,
        lacks=frozenset(storage.lacks),
        capabilities=offers(room, pool),
        filter_function=terms.filter_function,
        goodness_function=terms.goodness_function,
    )


def offers(room: BlockStorage, pool: Pool) -> dict[str, Any]:
    """What a pool can do, under the names that volume types ask for."""
    storage = pool.storage
    return {
        **pool.speaker.facts.terms.capabilities,
        "volume_backend_name": pool.pool,
        "vendor_name": room.vendor,
        "storage_protocol": storage.protocol,
        "driver_version": DRIVER_VERSION,
        "multiattach": "multiattach" not in storage.lacks,
        "encryption": "encryption" not in storage.lacks,
        "thin_provisioning_support": True,
        "thick_provisioning_support": False,
        "QoS_support": False,
        "replication_enabled": False,
        "pool_name": pool.pool,
    }


def _capabilities(room: BlockStorage, pool: Pool, taken: GivenOut) -> dict[str, Any]:
    now = iso_micros(max(one.node.last_seen for one in pool.services))
    found = candidate(room, pool, taken)
    return {
        **offers(room, pool),
        "total_capacity_gb": found.total_gib,
        "free_capacity_gb": int(found.promisable_gib),
        "provisioned_capacity_gb": taken.gib,
        "allocated_capacity_gb": taken.gib,
        "reserved_percentage": found.reserved_percentage,
        "max_over_subscription_ratio": str(found.ratio),
        "filter_function": found.filter_function or None,
        "goodness_function": found.goodness_function or None,
        "backend_state": "up" if pool.up else "down",
        "location_info": None,
        "updated": now,
        "timestamp": now,
    }


async def get_pools(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow("scheduler_extension:scheduler_stats:get_pools")
    detail = flag(call, "detail")
    taken = await given_out(room)
    asked = call.request.one("name")
    shown: list[dict[str, Any]] = []
    for pool in await pools(room):
        if asked not in (None, pool.name):
            continue
        shown.append({"name": pool.name})
        if detail:
            shown[-1]["capabilities"] = _capabilities(room, pool, taken.get(pool.host, GivenOut()))
    return {"pools": shown}


_PROPERTIES = {
    "thin_provisioning": ("Thin Provisioning", "Volumes take the room that was written, not the room that was asked."),
    "multiattach": ("Multiattach", "Volumes of types with multiattach can be attached to several servers."),
}


async def capabilities(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow("volume_extension:capabilities")
    host = call.path["host"]
    pool = next((pool for pool in await pools(room) if pool.is_called(host)), None)
    if pool is None:
        raise ServiceNotFound(f"Service cinder-volume could not be found on host {host[:64]}.")
    return {
        "namespace": f"OS::Storage::Capabilities::{host}",
        "vendor_name": room.vendor,
        "volume_backend_name": pool.pool,
        "pool_name": None,
        "driver_version": DRIVER_VERSION,
        "storage_protocol": pool.storage.protocol,
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
