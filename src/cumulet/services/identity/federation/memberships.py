"""Memberships that a federated login brought and that end unless another login renews them."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.services.identity.federation.rows import ExpiringMembershipRow

_LASTING = Query(
    sa.select(ExpiringMembershipRow.table).where(
        ExpiringMembershipRow.c.user_id == sa.bindparam("user", type_=sa.String),
        ExpiringMembershipRow.c.expires_at > sa.bindparam("now", type_=sa.BigInteger),
    )
)


async def lasting(tx: Transaction, user_id: str, now: int) -> dict[str, int]:
    """The groups that logins brought to a user and that have not ended, each with its end."""
    found: dict[str, int] = {}
    for row in await tx.rows(ExpiringMembershipRow, _LASTING, {"user": user_id, "now": now}):
        found[row.group_id] = max(row.expires_at, found.get(row.group_id, 0))
    return found
