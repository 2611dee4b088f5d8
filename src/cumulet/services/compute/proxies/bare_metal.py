"""Bare metal nodes, as compute showed them until 2.35: another service keeps them, and alone can change them."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import BadRequest, Unavailable
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.compute.proxies.passing import LAST
from cumulet.services.compute.room import Compute

RULE = "os_compute_api:os-baremetal-nodes:"
ABSENT = "The bare metal service is not a part of this cloud."


async def index(room: Compute, call: Call) -> Any:
    call.allow(RULE + "list")
    raise Unavailable(ABSENT)


async def show(room: Compute, call: Call) -> Any:
    call.allow(RULE + "show")
    raise Unavailable(ABSENT)


async def unsupported(room: Compute, call: Call) -> Any:
    """The real service never let nodes be changed here either."""
    raise BadRequest("Command Not supported. Please use the bare metal service to perform this action.")


NODE = "/os-baremetal-nodes/{id}"
ROUTES = (
    Endpoint("GET", "/os-baremetal-nodes", index, until=LAST, name="bare_metal_nodes"),
    Endpoint("GET", NODE, show, until=LAST, name="bare_metal_node"),
    Endpoint("POST", "/os-baremetal-nodes", unsupported, until=LAST, name="bare_metal_create"),
    Endpoint("DELETE", NODE, unsupported, until=LAST, name="bare_metal_delete"),
    Endpoint("POST", NODE + "/action", unsupported, until=LAST, name="bare_metal_action"),
)
