"""What we remember of limits."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import BigInt, Id, Instant, LongText, Name, Ref, Row, stored


@stored(
    "identity_registered_limits",
    sa.Index("identity_registered_limits_name", "service_id", "region_id", "resource_name", unique=True),
)
class RegisteredLimitRow(Row):
    """What every project may have of a service's resource, unless it has a limit of its own."""

    id: Id
    service_id: Ref
    region_id: Name
    """Empty: every region."""
    resource_name: Name
    default_limit: BigInt
    description: LongText
    created_at: Instant


@stored(
    "identity_limits",
    sa.Index("identity_limits_name", "registered_id", "project_id", "domain_id", unique=True),
)
class LimitRow(Row):
    """What one project or domain may have, in place of what is registered."""

    id: Id
    registered_id: Ref
    project_id: Ref
    domain_id: Ref
    service_id: Ref
    region_id: Name
    resource_name: Name
    resource_limit: BigInt
    description: LongText
    created_at: Instant
