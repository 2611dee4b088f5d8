"""What we remember of consumers and of the tokens they are given."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Json, LongText, Ref, Row, Short, stored


@stored("identity_consumers")
class ConsumerRow(Row):
    """A program that may ask users to lend it roles."""

    id: Id
    description: LongText
    secret: LongText
    """Sealed: signatures are checked with it."""
    extra: Json
    created_at: Instant


@stored("identity_request_tokens", sa.Index("identity_request_tokens_consumer", "consumer_id"))
class RequestTokenRow(Row):
    """A consumer's question to a user, and his answer."""

    id: Id
    consumer_id: Ref
    secret: LongText
    project_id: Ref
    verifier: Short
    """What the user hands to the consumer; empty until he has agreed."""
    user_id: Ref
    role_ids: Json
    expires_at: Instant


@stored(
    "identity_access_tokens",
    sa.Index("identity_access_tokens_consumer", "consumer_id"),
    sa.Index("identity_access_tokens_user", "user_id"),
)
class AccessTokenRow(Row):
    """Roles of a user in a project, lent to a consumer."""

    id: Id
    consumer_id: Ref
    secret: LongText
    project_id: Ref
    user_id: Ref
    role_ids: Json
    expires_at: Instant
    created_at: Instant
