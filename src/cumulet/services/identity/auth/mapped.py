"""Exchanging the token of a federated login for one with a scope, under the names that the login's protocol has."""

from __future__ import annotations

from typing import Any

from cumulet.services.identity.auth.proof import Proof
from cumulet.services.identity.auth.token import by_token
from cumulet.services.identity.errors import AuthenticationFailed
from cumulet.services.identity.room import Identity


async def by_mapped(room: Identity, given: dict[str, Any]) -> Proof:
    """The user of such a token. Raises AuthenticationFailed for a token that came otherwise."""
    proof = await by_token(room, given)
    if not proof.vouched_by.provider_id:
        raise AuthenticationFailed
    return proof
