"""What exists for the sake of a user only, and goes with him."""

from __future__ import annotations

from cumulet.core.db import Row
from cumulet.services.identity.credentials.row import CredentialRow
from cumulet.services.identity.delegations.rows import AccessRuleRow, ApplicationCredentialRow
from cumulet.services.identity.federation.rows import ExpiringMembershipRow, FederatedIdentityRow
from cumulet.services.identity.groups.row import MembershipRow
from cumulet.services.identity.oauth.rows import AccessTokenRow
from cumulet.services.identity.users.row import OldPasswordRow

OWNED: tuple[type[Row], ...] = (
    MembershipRow,
    CredentialRow,
    ApplicationCredentialRow,
    AccessRuleRow,
    AccessTokenRow,
    OldPasswordRow,
    FederatedIdentityRow,
    ExpiringMembershipRow,
)
"""Each has a column `user_id`."""
