"""Revocations: from when on which tokens are void. All else about a token is looked up when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, BigInt, Id, Instant, Name, Query, Row, Short, Transaction, stored
from cumulet.lib.clock import SECOND
from cumulet.lib.ids import new_hex
from cumulet.services.identity.tokens.payload import Token


@stored("identity_revocations", sa.Index("identity_revocations_key", "key"))
class RevocationRow(Row):
    """Tokens about this key, made at this instant or before, are void."""

    id: Id
    kind: Short
    """The name of what the key addresses: `audit_id`, `audit_chain_id`, `user_id`, `project_id`, `domain_id`, …"""
    key: Name
    issued_before: Instant
    revoked_at: Instant


@stored("identity_epochs")
class EpochRow(Row):
    """A number that grows with every change that tokens depend on, so that other processes notice."""

    name: Annotated[str, sa.String(32), PRIMARY]
    number: BigInt


CHAIN, PROVIDER = "audit_chain_id", "identity_provider"
_PREFIXES = {CHAIN: "chain:", PROVIDER: "provider:"}
"""Begin the keys of kinds whose ids may be those of something else: the chain of a token bears the id of its first
token, and operators choose the ids of identity providers."""


def key_of(kind: str, id_: str) -> str:
    """The key under which the tokens of something are void."""
    return _PREFIXES.get(kind, "") + id_


def id_in(row: RevocationRow) -> str:
    """The id of what a revocation speaks of."""
    return row.key.removeprefix(_PREFIXES.get(row.kind, ""))


_VOID = Query(
    sa.select(RevocationRow.c.id)
    .where(
        RevocationRow.c.key.in_(sa.bindparam("keys", expanding=True)),
        RevocationRow.c.issued_before >= sa.bindparam("issued_at", type_=sa.BigInteger),
    )
    .limit(sa.literal_column("1"))
)
_OLD = Query(
    sa.delete(RevocationRow.table).where(RevocationRow.c.revoked_at < sa.bindparam("then", type_=sa.BigInteger))
)
_NEXT_EPOCH = Query(sa.update(EpochRow.table).values(number=EpochRow.c.number + 1))


async def revoke(tx: Transaction, kind: str, key: str, now: int, keep_seconds: int) -> None:
    """Make the tokens of this key void that exist now. Older revocations, whose tokens have expired, are forgotten."""
    await tx.execute(_OLD, {"then": now - keep_seconds * SECOND})
    await tx.insert(RevocationRow(new_hex(), kind, key_of(kind, key), now, now))


async def is_revoked(tx: Transaction, token: Token, domain_ids: Sequence[str]) -> bool:
    """Is there a revocation that speaks of this token?"""
    keys = {
        token.audit_ids[0],
        key_of(CHAIN, token.chain_id),
        key_of(PROVIDER, token.provider_id) if token.provider_id else "",
        token.user_id,
        token.project_id,
        token.domain_id,
        token.trust_id,
        token.application_credential_id,
        token.access_token_id,
        *domain_ids,
    }
    return await tx.scalar(_VOID, {"keys": [key for key in keys if key], "issued_at": token.issued_at}) is not None


async def next_epoch(tx: Transaction) -> None:
    """Tell every process that what it remembers of tokens is old."""
    if not await tx.execute(_NEXT_EPOCH):
        await tx.insert(EpochRow("tokens", 1))
