"""Service providers: how this cloud makes its routers."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.network.facets import Facet
from cumulet.services.network.room import Network

SERVICE_TYPES = Facet("service-type", "Service providers")
PROVIDERS = ({"service_type": "L3_ROUTER_NAT", "name": "single_node", "default": True},)


async def _list(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_service_provider")
    return {"service_providers": list(PROVIDERS)}


def endpoints() -> list[Endpoint]:
    return [Endpoint("GET", "/service-providers", _list, name="list_service_providers")]
