"""From proofs to a token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.request import Response
from cumulet.lib.clock import SECOND
from cumulet.services.identity.auth.application_credential import by_application_credential
from cumulet.services.identity.auth.mapped import by_mapped
from cumulet.services.identity.auth.oauth1 import by_oauth1
from cumulet.services.identity.auth.password import by_password
from cumulet.services.identity.auth.proof import NOBODY, Proof
from cumulet.services.identity.auth.receipts import give_receipt, read_receipt
from cumulet.services.identity.auth.scope import Scope, scope_of
from cumulet.services.identity.auth.standing import has_to_add_up
from cumulet.services.identity.auth.token import by_token
from cumulet.services.identity.auth.totp import by_totp
from cumulet.services.identity.delegations.rows import TrustRow
from cumulet.services.identity.errors import AuthenticationFailed, InvalidValue, NotAllowed
from cumulet.services.identity.projects.row import project_of
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.cache import digest
from cumulet.services.identity.tokens.delegation import Void
from cumulet.services.identity.tokens.payload import METHODS, Token, new_audit_id
from cumulet.services.identity.tokens.validation import Valid, resolve
from cumulet.services.identity.users.row import UserRow

Method = Callable[[Identity, dict[str, Any]], Awaitable[Proof]]

KNOWN: dict[str, Method] = {
    "password": by_password,
    "token": by_token,
    "totp": by_totp,
    "application_credential": by_application_credential,
    "oauth1": by_oauth1,
    "mapped": by_mapped,
    "saml2": by_mapped,
    "openid": by_mapped,
}


async def authenticate(room: Identity, auth: dict[str, Any], receipt: str = "") -> tuple[str, Valid] | Response:
    """A new token and what is true of it; or the receipt of a proof that needs another one."""
    proof, methods = await prove(room, auth["identity"], receipt)
    alone = proof.parent or proof.credential or proof.access_token_id
    unfinished = None if alone else await receipt_for(room, proof.user, methods)
    if unfinished is not None:
        return unfinished
    return await issue(room, proof, methods, await scope_of(room, auth.get("scope"), proof))


async def receipt_for(room: Identity, user: UserRow, methods: tuple[str, ...]) -> Response | None:
    """The receipt of a proof that needs another one beside it; None: it is enough."""
    needed = has_to_add_up(user)
    if not needed or any(set(rule) <= set(methods) for rule in needed):
        return None
    async with room.database.read() as tx:
        domain = await project_of(tx, user.domain_id)
    assert domain is not None
    return give_receipt(room, user, {"id": domain.id, "name": domain.name}, methods, needed)


async def prove(room: Identity, identity: dict[str, Any], receipt: str) -> tuple[Proof, tuple[str, ...]]:
    """Try every method that was given; all must speak of the same user. Raises AuthenticationFailed."""
    methods: list[str] = identity["methods"]
    if not methods:
        raise InvalidValue("identity.methods: name the ways in which you prove who you are, such as password.")
    proofs: list[Proof] = []
    for name in dict.fromkeys(methods):
        if name not in KNOWN:
            raise AuthenticationFailed("Attempted to authenticate with an unsupported method.")
        if name not in identity:
            raise InvalidValue(f"identity.{name}: the method was named, but its part is missing.")
        proofs.append(await KNOWN[name](room, identity[name]))
    if len({proof.user.id for proof in proofs}) != 1:
        raise AuthenticationFailed
    proved = [method for proof in proofs for method in proof.methods]
    if receipt:
        earlier = read_receipt(room, receipt)
        if earlier.user_id != proofs[0].user.id:
            raise AuthenticationFailed
        proved += earlier.methods
    # The proof that limits the token most comes with it.
    bound = max(proofs, key=lambda proof: bool(proof.project_id) * 2 + (proof.parent is not None))
    return bound, tuple(method for method in METHODS if method in proved)


async def issue(room: Identity, proof: Proof, methods: tuple[str, ...], scope: Scope) -> tuple[str, Valid]:
    """Make the token. Raises AuthenticationFailed when its user has nothing to do there."""
    now = room.clock.now()
    trust = scope.trust
    ends = [now + room.settings.token_lifetime * SECOND, proof.expires_at, trust.expires_at if trust else 0]
    parent = proof.parent
    audit_id = new_audit_id(now)
    # A token for the system, or of a delegation, has no room for groups: only what somebody has himself counts there.
    bound = scope.system or trust or proof.credential or proof.access_token_id
    voucher = NOBODY if bound else proof.vouched_by
    token = Token(
        user_id=proof.user.id,
        methods=methods,
        audit_ids=(audit_id, parent.chain_id) if parent else (audit_id,),
        expires_at=min(end for end in ends if end) // SECOND * SECOND,  # as clients expect, and signed tokens say it
        issued_at=now,
        project_id=scope.project_id,
        domain_id=scope.domain_id,
        system=scope.system,
        trust_id=trust.id if trust else "",
        application_credential_id=proof.credential.id if proof.credential else "",
        access_token_id=proof.access_token_id,
        group_ids=voucher.group_ids,
        provider_id=voucher.provider_id,
        protocol_id=voucher.protocol_id,
    )
    text = room.tokens.chosen.seal(token)
    key = digest(text)
    generation = room.generation.number
    try:
        valid = await resolve(room, token, key.hex(), parent=parent)
    except Void as reason:
        if trust:
            raise NotAllowed(f"The trust cannot be used: {reason}.") from reason
        raise AuthenticationFailed from reason
    if trust and trust.remaining_uses is not None:
        await _use_up(room, trust)
    await room.tokens.chosen.keep(text, token)
    room.valid.put(key, valid, generation)
    return text, valid


async def _use_up(room: Identity, trust: TrustRow) -> None:
    """Count one use of a trust; the last one is taken by one authentication only."""

    async def write(tx: Transaction) -> None:
        current = await tx.get(TrustRow, id=trust.id)
        left = current.remaining_uses if current and not current.deleted_at else 0
        if left is None:
            return
        if left < 1:
            raise NotAllowed("The trust has been used as often as it allows.")
        if not await tx.update(TrustRow, {"id": trust.id, "remaining_uses": left}, remaining_uses=left - 1):
            raise NotAllowed("The trust has been used as often as it allows.")

    await room.database.write(write)
