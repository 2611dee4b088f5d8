"""What we remember of services and where they answer."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Json, LongText, Name, Ref, Row, Short, stored


@stored("identity_regions")
class RegionRow(Row):
    """A part of the cloud with endpoints of its own. Its id is chosen by the operator."""

    id: Annotated[str, sa.String(255), PRIMARY]
    parent_id: Name
    description: LongText
    extra: Json
    created_at: Instant


@stored("identity_services", sa.Index("identity_services_type", "type"))
class ServiceRow(Row):
    """A kind of thing the cloud does."""

    id: Id
    type: Name
    name: Name
    description: LongText
    enabled: bool
    extra: Json
    created_at: Instant


@stored("identity_endpoints", sa.Index("identity_endpoints_service", "service_id"))
class EndpointRow(Row):
    """An address at which a service answers one kind of client."""

    id: Id
    service_id: Ref
    interface: Short
    region_id: Name
    url: LongText
    enabled: bool
    extra: Json
    created_at: Instant
