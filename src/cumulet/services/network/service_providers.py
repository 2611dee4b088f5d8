"""Service providers: the ways in which this cloud makes its routers."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.network.facets import Facet
from cumulet.services.network.room import Network

SERVICE_TYPES = Facet("service-type", "Service providers")
ROUTERS = "L3_ROUTER_NAT"
_DRIVERS = "neutron.services.l3_router.service_providers."


class Provider(msgspec.Struct, frozen=True):
    """A way to make routers, and the driver that the real service makes them with: profiles name it."""

    name: str
    driver: str
    ha: bool
    default: bool = False


PROVIDERS = (
    Provider("single_node", f"{_DRIVERS}single_node.SingleNodeDriver", ha=False, default=True),
    Provider("ha", f"{_DRIVERS}ha.HaDriver", ha=True),
)


def provider_of(driver: str) -> Provider | None:
    """Who has this driver; the one that is usual where none is said."""
    return next((one for one in PROVIDERS if driver == one.driver or (not driver and one.default)), None)


async def _list(room: Network, call: Call) -> dict[str, Any]:
    call.allow("get_service_provider")
    shown = [{"service_type": ROUTERS, "name": one.name, "default": one.default} for one in PROVIDERS]
    return {"service_providers": shown}


def endpoints() -> list[Endpoint]:
    return [Endpoint("GET", "/service-providers", _list, name="list_service_providers")]
