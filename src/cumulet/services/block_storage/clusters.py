"""Clusters of volume services: those that share one storage, where each looks after the volumes of one that is lost."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Text
from cumulet.lib.clock import iso_micros
from cumulet.services.block_storage.backends import Pool, pools, say
from cumulet.services.block_storage.errors import ServiceNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.services import VOLUME

RULE = "clusters:"
SINCE = "3.7"
_FILTERS = ("name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts")


async def _all(room: BlockStorage) -> list[Pool]:
    return [pool for pool in await pools(room) if pool.cluster]


def _brief(pool: Pool) -> dict[str, Any]:
    return {
        "name": pool.host,
        "binary": VOLUME,
        "state": "up" if pool.up else "down",
        "status": "disabled" if pool.said is not None and pool.said.disabled else "enabled",
    }


def _whole(call: Call, pool: Pool) -> dict[str, Any]:
    found = {
        **_brief(pool),
        "num_hosts": len(pool.services),
        "num_down_hosts": sum(not one.up for one in pool.services),
        "last_heartbeat": iso_micros(max(one.node.last_seen for one in pool.services)),
        "disabled_reason": (pool.said.reason or None) if pool.said else None,
        "created_at": iso_micros(min(one.node.joined_at for one in pool.services)),
        "updated_at": None,
    }
    if call.version >= version("3.26"):
        found |= {
            "replication_status": "disabled",
            "frozen": pool.said is not None and pool.said.frozen,
            "active_backend_id": None,
        }
    return found


def _asked(call: Call, whole: dict[str, Any]) -> bool:
    """Whether a cluster passes what a list was asked for."""
    facts = {**whole, "is_up": whole["state"] == "up", "disabled": whole["status"] == "disabled"}
    asked = {name: text for name in _FILTERS if (text := call.request.one(name)) is not None}
    return all(str(facts[name]).lower() == text.lower() for name, text in asked.items())


async def index(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get_all")
    return {"clusters": [_brief(pool) for pool in await _all(room) if _asked(call, _whole(call, pool))]}


async def detail(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get_all")
    found = [_whole(call, pool) for pool in await _all(room)]
    return {"clusters": [whole for whole in found if _asked(call, whole)]}


async def show(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get")
    return {"cluster": _whole(call, await _named(room, call.path["cluster"]))}


async def enable(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "update")
    pool = await _named(room, call.wish["name"])
    await say(room, [pool.host], disabled=False)
    return await _said(room, pool)


async def disable(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "update")
    pool = await _named(room, call.wish["name"])
    await say(room, [pool.host], disabled=True, reason=call.wish.get("disabled_reason") or "")
    return await _said(room, pool)


async def _said(room: BlockStorage, pool: Pool) -> dict[str, Any]:
    pool = await _named(room, pool.host)
    return {"cluster": {**_brief(pool), "disabled_reason": (pool.said.reason or None) if pool.said else None}}


async def _named(room: BlockStorage, name: str) -> Pool:
    for pool in await _all(room):
        if pool.host == name:
            return pool
    raise ServiceNotFound(f"Cluster {name[:64]} could not be found.")


_NAMED = (Field("name", Text(255, 1), create=REQUIRED), Field("binary", Text(), create=OPTIONAL))
_Named = Body("", _NAMED)
_Reasoned = Body("", (*_NAMED, Field("disabled_reason", Text().or_null(), create=OPTIONAL)))
ROUTES = (
    Endpoint("GET", "/clusters", index, since=SINCE, name="clusters"),
    Endpoint("GET", "/clusters/detail", detail, since=SINCE, name="clusters_detail"),
    Endpoint("GET", "/clusters/{cluster}", show, since=SINCE, name="cluster"),
    Endpoint("PUT", "/clusters/enable", enable, since=SINCE, body=_Named, name="cluster_enable"),
    Endpoint("PUT", "/clusters/disable", disable, since=SINCE, body=_Reasoned, name="cluster_disable"),
)
