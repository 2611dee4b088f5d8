"""Clusters of volume services. Each node serves its own volumes here, so there are none; this is said, not refused."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Text
from cumulet.services.block_storage.errors import ServiceNotFound
from cumulet.services.block_storage.room import BlockStorage

RULE = "clusters:"
SINCE = "3.7"


async def index(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get_all")
    return {"clusters": []}


async def show(room: BlockStorage, call: Call) -> None:
    call.allow(RULE + "get")
    raise _unknown(call.path["cluster"])


async def update(room: BlockStorage, call: Call) -> None:
    call.allow(RULE + "update")
    raise _unknown(call.wish["name"])


def _unknown(name: str) -> ServiceNotFound:
    return ServiceNotFound(f"Cluster {name[:64]} could not be found. The services of this cloud form no clusters.")


_NAMED = (Field("name", Text(255, 1), create=REQUIRED), Field("binary", Text(), create=OPTIONAL))
_Named = Body("", _NAMED)
_Reasoned = Body("", (*_NAMED, Field("disabled_reason", Text().or_null(), create=OPTIONAL)))
ROUTES = (
    Endpoint("GET", "/clusters", index, since=SINCE, name="clusters"),
    Endpoint("GET", "/clusters/detail", index, since=SINCE, name="clusters_detail"),
    Endpoint("GET", "/clusters/{cluster}", show, since=SINCE, name="cluster"),
    Endpoint("PUT", "/clusters/enable", update, since=SINCE, body=_Named, name="cluster_enable"),
    Endpoint("PUT", "/clusters/disable", update, since=SINCE, body=_Reasoned, name="cluster_disable"),
)
