"""Tokens that say nothing: 32 random hexadecimal digits. What another form carries itself stands in a table."""

from __future__ import annotations

import re
import secrets

import sqlalchemy as sa

from cumulet.core.db import Blob, Database, Id, Instant, Query, Row, Transaction, stored
from cumulet.lib.clock import SECOND, Clock
from cumulet.services.identity.tokens.cache import digest
from cumulet.services.identity.tokens.payload import Token, Unreadable, pack, unpack

SWEPT = 20
"""So many ended ones go with each new one: the table shrinks faster than it grows, and nobody waits for a big sweep."""
_FORM = re.compile(r"[0-9a-f]{32}\Z")


@stored("identity_tokens", sa.Index("identity_tokens_expires_at", "expires_at"))
class TokenRow(Row):
    """What a token is good for, by the digest of its text: whoever reads this table can act as nobody."""

    digest: Id
    payload: Blob
    issued_at: Instant
    expires_at: Instant


_ENDED = Query(
    sa.select(TokenRow.c.digest)
    .where(TokenRow.c.expires_at < sa.bindparam("then", type_=sa.BigInteger))
    .order_by(TokenRow.c.expires_at, TokenRow.c.digest)
    .limit(sa.literal_column(str(SWEPT)))
)


class UuidTokens:
    """The provider `uuid`. A token has no use any more when it ended longer ago than `expired_window` seconds."""

    keys = None

    def __init__(self, database: Database, clock: Clock, expired_window: int) -> None:
        self._database = database
        self._clock = clock
        self._expired_window = expired_window

    def recognises(self, text: str) -> bool:
        return bool(_FORM.match(text))

    def seal(self, token: Token) -> str:
        return secrets.token_hex(16)

    async def keep(self, text: str, token: Token) -> None:
        row = TokenRow(digest(text).hex(), pack(token), token.issued_at, token.expires_at)

        async def write(tx: Transaction) -> None:
            ended = await tx.tuples(_ENDED, {"then": self._clock.now() - self._expired_window * SECOND})
            if ended:
                await tx.delete(TokenRow, digest=[found[0] for found in ended])
            await tx.insert(row)

        await self._database.write(write)

    async def unseal(self, text: str) -> Token:
        async with self._database.read() as tx:
            row = await tx.get(TokenRow, digest=digest(text).hex())
        if row is None:
            raise Unreadable("made by nobody we know")
        return unpack(row.payload, row.issued_at // SECOND)
