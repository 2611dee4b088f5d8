"""What we remember of delegations."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Json, LongText, Name, Number, Ref, Row, Short, stored


@stored(
    "identity_trusts",
    sa.Index("identity_trusts_trustor", "trustor_id"),
    sa.Index("identity_trusts_trustee", "trustee_id"),
)
class TrustRow(Row):
    """A trustor lets a trustee act with some of his roles in one project."""

    id: Id
    trustor_id: Ref
    trustee_id: Ref
    project_id: Ref
    impersonation: bool
    """The trustee appears as the trustor."""
    role_ids: Json
    expires_at: Instant
    remaining_uses: Number | None
    redelegated_from: Ref
    redelegation_count: Number
    """How many times it may be handed on."""
    deleted_at: Instant
    extra: Json
    created_at: Instant


@stored(
    "identity_application_credentials",
    sa.Index("identity_application_credentials_name", "user_id", "name", unique=True),
)
class ApplicationCredentialRow(Row):
    """A secret with which a program acts for its user, with some of his roles in one project."""

    id: Id
    user_id: Ref
    project_id: Ref
    name: Name
    description: LongText
    secret: Name
    """Its hash."""
    role_ids: Json
    access_rule_ids: Json
    """`null`: everything; a list: only what one of these rules allows."""
    unrestricted: bool
    """May manage application credentials and trusts itself."""
    expires_at: Instant
    created_at: Instant


@stored(
    "identity_access_rules",
    sa.Index("identity_access_rules_user", "user_id"),
)
class AccessRuleRow(Row):
    """Requests that an application credential may make."""

    id: Id
    user_id: Ref
    service: Name
    method: Short
    path: Name
    created_at: Instant
