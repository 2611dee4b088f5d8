"""The catalogue as a token shows it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from cumulet.services.identity.catalog.filtering import visible_endpoints
from cumulet.services.identity.catalog.rows import EndpointRow, ServiceRow
from cumulet.services.identity.room import Identity

_PLACE = re.compile(r"[$%]\((project_id|tenant_id|user_id)\)s")


@dataclass(frozen=True)
class Address:
    """An endpoint, as it is shown wherever its URL names nothing of the token."""

    shown: dict[str, Any]
    places: frozenset[str]
    """What its URL names of the token."""

    def filled(self, values: dict[str, str]) -> dict[str, Any]:
        if not self.places:
            return self.shown
        return {**self.shown, "url": _PLACE.sub(lambda place: values[place[1]], self.shown["url"])}


@dataclass(frozen=True)
class Offer:
    """A service and where it is reached."""

    shown: dict[str, Any]
    addresses: tuple[Address, ...]


async def catalog_for(room: Identity, project_id: str, user_id: str) -> list[dict[str, Any]]:
    """The services with their endpoints, for one user in one project."""
    offers = await room.kept.get("catalog", lambda: _read(room))
    chosen = await visible_endpoints(room, project_id) if project_id else None
    return assemble(offers, project_id, user_id, chosen)


async def _read(room: Identity) -> list[Offer]:
    async with room.database.read() as tx:
        services = await tx.find(ServiceRow, order_by="type", enabled=True)
        endpoints = await tx.find(EndpointRow, order_by="id", enabled=True)
    return offers_of(services, endpoints)


def offers_of(services: Sequence[ServiceRow], endpoints: Sequence[EndpointRow]) -> list[Offer]:
    """All that is the same in every catalogue."""
    by_service: dict[str, list[Address]] = {service.id: [] for service in services}
    for endpoint in endpoints:
        if endpoint.service_id in by_service:
            by_service[endpoint.service_id].append(_address(endpoint))
    return [
        Offer({"id": service.id, "type": service.type, "name": service.name}, tuple(by_service[service.id]))
        for service in services
    ]


def _address(endpoint: EndpointRow) -> Address:
    shown = {
        "id": endpoint.id,
        "interface": endpoint.interface,
        "region_id": endpoint.region_id or None,
        "region": endpoint.region_id or None,
        "url": endpoint.url,
    }
    return Address(shown, frozenset(_PLACE.findall(endpoint.url)))


def assemble(
    offers: Sequence[Offer], project_id: str, user_id: str, chosen: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """The shown form; of the endpoints only the `chosen` ones, when any were. A URL that needs a project is left out
    where there is none."""
    values = {"project_id": project_id, "tenant_id": project_id, "user_id": user_id}
    known = {name for name, value in values.items() if value}
    return [
        {
            "endpoints": [
                address.filled(values)
                for address in offer.addresses
                if address.places <= known and (chosen is None or address.shown["id"] in chosen)
            ],
            **offer.shown,
        }
        for offer in offers
    ]
