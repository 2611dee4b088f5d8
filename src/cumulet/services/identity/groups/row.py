"""What we remember of a group."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Json, LongText, Name, Ref, Row, stored


@stored("identity_groups", sa.Index("identity_groups_name", "domain_id", "name", unique=True))
class GroupRow(Row):
    """A group with a name that is unique in its domain."""

    id: Id
    domain_id: Ref
    name: Name
    description: LongText
    extra: Json
    created_at: Instant


@stored("identity_memberships", sa.Index("identity_memberships_user", "user_id"))
class MembershipRow(Row):
    """A user in a group."""

    group_id: Annotated[str, sa.String(64), PRIMARY]
    user_id: Annotated[str, sa.String(64), PRIMARY]
    since: Instant
