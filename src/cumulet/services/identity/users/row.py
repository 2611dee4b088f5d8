"""What we remember of a user."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Json, Name, Number, Ref, Row, stored


@stored("identity_users", sa.Index("identity_users_name", "domain_id", "name", "shadow", unique=True))
class UserRow(Row):
    """Somebody with a name that is unique in his domain, or the shadow of somebody whom an identity provider knows."""

    id: Id
    domain_id: Ref
    name: Name
    enabled: bool
    default_project_id: Ref
    password: Name
    """Its hash; empty: he cannot authenticate by password."""
    password_at: Instant
    password_expires_at: Instant
    failures: Number
    """Wrong passwords since the last right one."""
    failed_at: Instant
    active_at: Instant
    options: Json
    extra: Json
    created_at: Instant
    shadow: Ref = ""
    """The id of a shadow once more, since names of shadows need not be unique; empty for a user of this cloud's own."""
    federated: Json = "[]"
    """As it is shown: by which providers and protocols he may come, and what he is called there."""

    @property
    def chosen(self) -> dict[str, Any]:
        """The user's options, those that are set."""
        found: dict[str, Any] = msgspec.json.decode(self.options) if self.options != "{}" else {}
        return found


@stored("identity_old_passwords", sa.Index("identity_old_passwords_user", "user_id", "set_at"))
class OldPasswordRow(Row):
    """The hash of a password that a user had."""

    id: Id
    user_id: Ref
    password: Name
    set_at: Instant
