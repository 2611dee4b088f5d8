"""What we remember of a credential."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Json, LongText, Ref, Row, Short, stored


@stored("identity_credentials", sa.Index("identity_credentials_user", "user_id"))
class CredentialRow(Row):
    """A user's secret of some type: `ec2`, `totp`, `cert`, or one that only its user understands."""

    id: Id
    user_id: Ref
    project_id: Ref
    type: Short
    blob: LongText
    """Sealed."""
    extra: Json
    created_at: Instant
