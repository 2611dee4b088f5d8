"""What an authentication has proved so far."""

from __future__ import annotations

from dataclasses import dataclass

from cumulet.services.identity.delegations.rows import ApplicationCredentialRow
from cumulet.services.identity.tokens.payload import Token
from cumulet.services.identity.users.row import UserRow


@dataclass(frozen=True)
class Voucher:
    """Who vouches for a user in a federated login, how, and which groups he brings by it."""

    provider_id: str = ""
    protocol_id: str = ""
    group_ids: tuple[str, ...] = ()


NOBODY = Voucher()


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
    voucher: Voucher = NOBODY

    @property
    def vouched_by(self) -> Voucher:
        """Whoever vouched for the user in this login, or in the one that the token came of."""
        parent = self.parent
        return Voucher(parent.provider_id, parent.protocol_id, parent.group_ids) if parent else self.voucher
