"""The catalogue as a token shows it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from cumulet.services.identity.catalog.filtering import visible_endpoints
from cumulet.services.identity.catalog.rows import EndpointRow, ServiceRow
from cumulet.services.identity.room import Identity

_PLACE = re.compile(r"[$%]\((project_id|tenant_id|user_id)\)s")

Tables = tuple[list[ServiceRow], dict[str, list[EndpointRow]]]


async def catalog_for(room: Identity, project_id: str, user_id: str) -> list[dict[str, Any]]:
    """The services with their endpoints, for one user in one project."""
    services, endpoints = await room.kept.get("catalog", lambda: _read(room))
    chosen = await visible_endpoints(room, project_id) if project_id else None
    return assemble(services, endpoints, project_id, user_id, chosen)


async def _read(room: Identity) -> Tables:
    async with room.database.read() as tx:
        services = await tx.find(ServiceRow, order_by="type", enabled=True)
        by_service: dict[str, list[EndpointRow]] = {service.id: [] for service in services}
        for endpoint in await tx.find(EndpointRow, order_by="id", enabled=True):
            if endpoint.service_id in by_service:
                by_service[endpoint.service_id].append(endpoint)
    return services, by_service


def assemble(
    services: list[ServiceRow],
    endpoints: dict[str, list[EndpointRow]],
    project_id: str,
    user_id: str,
    chosen: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """The shown form; of the endpoints only the `chosen` ones, when any were. A URL that needs a project is left out
    where there is none."""
    values = {"project_id": project_id, "tenant_id": project_id, "user_id": user_id}
    shown: list[dict[str, Any]] = []
    for service in services:
        addresses = []
        for endpoint in endpoints[service.id]:
            places = _PLACE.findall(endpoint.url)
            if (chosen is not None and endpoint.id not in chosen) or not all(values[place] for place in places):
                continue
            url = _PLACE.sub(lambda place: values[place[1]], endpoint.url) if places else endpoint.url
            addresses.append(
                {
                    "id": endpoint.id,
                    "interface": endpoint.interface,
                    "region_id": endpoint.region_id or None,
                    "region": endpoint.region_id or None,
                    "url": url,
                }
            )
        shown.append({"endpoints": addresses, "id": service.id, "type": service.type, "name": service.name})
    return shown
