"""What we remember of policies."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Json, LongText, Name, Ref, Row, stored


@stored("identity_policies")
class PolicyRow(Row):
    """A text that a service understands."""

    id: Id
    type: Name
    blob: LongText
    extra: Json
    created_at: Instant


@stored("identity_policy_associations", sa.Index("identity_policy_associations_policy", "policy_id"))
class AssociationRow(Row):
    """An endpoint, a service, or a service in a region, and the policy it follows."""

    endpoint_id: Annotated[str, sa.String(64), PRIMARY]
    service_id: Annotated[str, sa.String(64), PRIMARY]
    region_id: Annotated[str, sa.String(255), PRIMARY]
    policy_id: Ref
