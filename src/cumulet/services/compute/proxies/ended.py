"""What compute no longer does at any microversion: each answers that it is gone, as the real service does."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import Gone
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.compute.room import Compute


async def gone(room: Compute, call: Call) -> Any:
    raise Gone("This resource is no longer available. No forwarding address is given.")


PATHS = {
    "/os-agents": "GET POST",
    "/os-agents/{id}": "PUT DELETE",
    "/os-cells": "GET POST",
    "/os-cells/capacities": "GET",
    "/os-cells/detail": "GET",
    "/os-cells/info": "GET",
    "/os-cells/sync_instances": "POST",
    "/os-cells/{id}": "GET PUT DELETE",
    "/os-cells/{id}/capacities": "GET",
    "/os-certificates": "POST",
    "/os-certificates/{id}": "GET",
    "/os-cloudpipe": "GET POST",
    "/os-cloudpipe/{id}": "PUT",
    "/os-fixed-ips/{id}": "GET",
    "/os-fixed-ips/{id}/action": "POST",
    "/os-floating-ip-dns": "GET",
    "/os-floating-ip-dns/{id}": "PUT DELETE",
    "/os-floating-ip-dns/{id}/entries/{name}": "GET PUT DELETE",
    "/os-floating-ips-bulk": "GET POST",
    "/os-floating-ips-bulk/{id}": "GET PUT",
    "/os-fping": "GET",
    "/os-fping/{id}": "GET",
    "/os-networks": "POST",
    "/os-networks/add": "POST",
    "/os-networks/{id}": "DELETE",
    "/os-networks/{id}/action": "POST",
    "/os-security-group-default-rules": "GET POST",
    "/os-security-group-default-rules/{id}": "GET DELETE",
    "/os-tenant-networks": "POST",
    "/os-tenant-networks/{id}": "DELETE",
    "/servers/{id}/consoles": "GET POST",
    "/servers/{id}/consoles/{console_id}": "GET DELETE",
    "/servers/{id}/os-virtual-interfaces": "GET",
}
"""What was removed: the networks, cells, certificates and agents that compute once kept itself."""
ROUTES = tuple(
    Endpoint(method, path, gone, 410, name="gone") for path, methods in PATHS.items() for method in methods.split()
)
