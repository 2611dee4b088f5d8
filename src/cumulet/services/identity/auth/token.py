"""Authentication by a token that one has."""

from __future__ import annotations

from typing import Any

from cumulet.services.identity.auth.proof import Proof
from cumulet.services.identity.errors import NotAllowed
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.validation import validate


async def by_token(room: Identity, given: dict[str, Any]) -> Proof:
    """The user of a token. Raises TokenNotFound, or NotAllowed for a token that is bound to its place."""
    valid = await validate(room, given["id"])
    token = valid.token
    if token.trust_id or token.access_token_id:
        raise NotAllowed("A token of a delegation is bound to its project and cannot be exchanged for another one.")
    if token.application_credential_id:
        raise NotAllowed("A token of an application credential cannot be exchanged; use the credential again.")
    return Proof(valid.standing.user, ("token", *token.methods), parent=token, expires_at=token.expires_at)
