"""Endpoints for chosen projects: a project that was given any sees only those."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Json, LongText, Name, Row, Transaction, stored
from cumulet.services.identity.catalog.rows import EndpointRow
from cumulet.services.identity.room import Identity


@stored("identity_project_endpoints", sa.Index("identity_project_endpoints_project", "project_id"))
class ProjectEndpointRow(Row):
    """An endpoint given to a project."""

    endpoint_id: Annotated[str, sa.String(64), PRIMARY]
    project_id: Annotated[str, sa.String(64), PRIMARY]


@stored("identity_endpoint_groups")
class EndpointGroupRow(Row):
    """All endpoints of a service, an interface or a region, under one name."""

    id: Id
    name: Name
    description: LongText
    filters: Json
    created_at: Instant


@stored("identity_project_endpoint_groups", sa.Index("identity_project_endpoint_groups_project", "project_id"))
class ProjectEndpointGroupRow(Row):
    """An endpoint group given to a project."""

    group_id: Annotated[str, sa.String(64), PRIMARY]
    project_id: Annotated[str, sa.String(64), PRIMARY]


class Given(msgspec.Struct, frozen=True):
    """What was given to which project."""

    by_project: dict[str, frozenset[str]]


async def visible_endpoints(room: Identity, project_id: str) -> frozenset[str] | None:
    """The endpoints given to a project; None: nothing was, so it sees them all."""

    async def read() -> Given:
        async with room.database.read() as tx:
            return await _given(tx)

    given: Given = await room.kept.get("given endpoints", read)
    return given.by_project.get(project_id)


async def _given(tx: Transaction) -> Given:
    found: dict[str, set[str]] = {}
    for row in await tx.find(ProjectEndpointRow):
        found.setdefault(row.project_id, set()).add(row.endpoint_id)
    grants = await tx.find(ProjectEndpointGroupRow)
    if grants:
        groups = {row.id: msgspec.json.decode(row.filters) for row in await tx.find(EndpointGroupRow)}
        endpoints = await tx.find(EndpointRow)
        for grant in grants:
            chosen = {endpoint.id for endpoint in endpoints if matches(endpoint, groups.get(grant.group_id))}
            found.setdefault(grant.project_id, set()).update(chosen)
    return Given({project: frozenset(ids) for project, ids in found.items()})


def matches(endpoint: EndpointRow, filters: dict[str, Any] | None) -> bool:
    """Is an endpoint one of a group's?"""
    if filters is None:
        return False
    return all(getattr(endpoint, name, None) == value for name, value in filters.items())
