"""What an authentication has proved so far."""

from __future__ import annotations

from dataclasses import dataclass

from cumulet.services.identity.delegations.rows import ApplicationCredentialRow
from cumulet.services.identity.tokens.payload import Token
from cumulet.services.identity.users.row import UserRow


@dataclass(frozen=True)
class Proof:
    """One method's result: who it is, and what limits the token that follows."""

    user: UserRow
    methods: tuple[str, ...]
    parent: Token | None = None
    """The token it was proved with; the new one lives no longer, and belongs to its chain."""
    credential: ApplicationCredentialRow | None = None
    access_token_id: str = ""
    project_id: str = ""
    """The only project it is good for."""
    expires_at: int = 0
