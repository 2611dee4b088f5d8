"""Authentication by an OAuth 1.0a access token: the request to `/auth/tokens` itself is signed."""

from __future__ import annotations

from typing import Any

from cumulet.services.identity.auth.password import check_standing
from cumulet.services.identity.auth.proof import Proof
from cumulet.services.identity.errors import AuthenticationFailed
from cumulet.services.identity.oauth.handshake import proven
from cumulet.services.identity.oauth.rows import AccessTokenRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.row import UserRow


async def by_oauth1(room: Identity, given: dict[str, Any]) -> Proof:
    """The user who lent his roles to the consumer that signed this. Raises AuthenticationFailed."""
    _, _, lent = await proven(room, given.get("authorization", ""), "POST", given.get("url", ""), AccessTokenRow)
    async with room.database.read() as tx:
        user = await tx.get(UserRow, id=lent.user_id)
    if user is None:
        raise AuthenticationFailed
    await check_standing(room, user)
    return Proof(user, ("oauth1",), access_token_id=lent.id, project_id=lent.project_id, expires_at=lent.expires_at)
