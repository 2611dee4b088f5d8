"""What a trust or an application credential behind a token still grants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.identity.delegations.rows import AccessRuleRow, ApplicationCredentialRow, TrustRow
from cumulet.services.identity.oauth.rows import AccessTokenRow
from cumulet.services.identity.tokens.payload import Token


class Void(Exception):
    """A token gives no right to anything any more; the text says why, for our logs and for its owner."""


@dataclass(frozen=True)
class Delegation:
    """Somebody's roles, lent."""

    grantor_id: str
    role_ids: tuple[str, ...]
    acts_as: str
    """The user who appears as the actor."""
    all_roles: bool
    """It is void as soon as the grantor lost one of the roles; otherwise it shrinks with them."""
    expires_at: int = 0
    shown: dict[str, Any] = field(default_factory=dict)
    """What a token's body tells of it."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What rules and services may ask about it."""


async def delegation_of(tx: Transaction, token: Token, now: int) -> Delegation | None:
    """The delegation that a token came from. Raises Void when that has ended."""
    if token.trust_id:
        trust = await tx.get(TrustRow, id=token.trust_id)
        return trust_delegation(trust, now)
    if token.application_credential_id:
        credential = await tx.get(ApplicationCredentialRow, id=token.application_credential_id)
        return await credential_delegation(tx, credential, now)
    if token.access_token_id:
        return access_delegation(await tx.get(AccessTokenRow, id=token.access_token_id), now)
    return None


def access_delegation(row: AccessTokenRow | None, now: int) -> Delegation:
    """What a user lent to a consumer. Raises Void."""
    if row is None or row.expires_at <= now:
        raise Void("its access token has ended")
    return Delegation(
        grantor_id=row.user_id,
        role_ids=tuple(msgspec.json.decode(row.role_ids)),
        acts_as=row.user_id,
        all_roles=False,
        expires_at=row.expires_at,
        shown={"OS-OAUTH1": {"access_token_id": row.id, "consumer_id": row.consumer_id}},
        facts={"access_token_id": row.id, "consumer_id": row.consumer_id},
    )


def trust_delegation(trust: TrustRow | None, now: int) -> Delegation:
    """What a trust grants. Raises Void."""
    if trust is None or trust.deleted_at or (trust.expires_at and trust.expires_at <= now):
        raise Void("its trust has ended")
    shown = {
        "id": trust.id,
        "trustor_user": {"id": trust.trustor_id},
        "trustee_user": {"id": trust.trustee_id},
        "impersonation": trust.impersonation,
    }
    return Delegation(
        grantor_id=trust.trustor_id,
        role_ids=tuple(msgspec.json.decode(trust.role_ids)),
        acts_as=trust.trustor_id if trust.impersonation else trust.trustee_id,
        all_roles=True,
        expires_at=trust.expires_at,
        shown={"OS-TRUST:trust": shown},
        facts={"trustor_id": trust.trustor_id, "trustee_id": trust.trustee_id},
    )


async def credential_delegation(tx: Transaction, credential: ApplicationCredentialRow | None, now: int) -> Delegation:
    """What an application credential grants. Raises Void."""
    if credential is None or (credential.expires_at and credential.expires_at <= now):
        raise Void("its application credential has ended")
    shown: dict[str, Any] = {
        "id": credential.id,
        "name": credential.name,
        "restricted": not credential.unrestricted,
    }
    facts: dict[str, Any] = {"restricted": not credential.unrestricted}
    rule_ids = msgspec.json.decode(credential.access_rule_ids)
    if rule_ids is not None:
        rules = await tx.find(AccessRuleRow, id=rule_ids)
        shown["access_rules"] = facts["access_rules"] = [
            {"id": rule.id, "service": rule.service, "path": rule.path, "method": rule.method} for rule in rules
        ]
    return Delegation(
        grantor_id=credential.user_id,
        role_ids=tuple(msgspec.json.decode(credential.role_ids)),
        acts_as=credential.user_id,
        all_roles=False,
        expires_at=credential.expires_at,
        shown={"application_credential": shown},
        facts=facts,
    )
