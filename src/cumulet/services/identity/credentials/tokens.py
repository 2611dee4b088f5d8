"""`/ec2tokens` and `/s3tokens`: a service asks whose signature a request carries, and gets a token's body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cumulet.core.web.body import OPTIONAL, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import AnyObject
from cumulet.services.identity.auth.authenticate import issue
from cumulet.services.identity.auth.password import check_standing
from cumulet.services.identity.auth.proof import Proof
from cumulet.services.identity.auth.scope import Scope
from cumulet.services.identity.catalog.assembled import catalog_for
from cumulet.services.identity.credentials.resource import EC2, id_of_access, opened
from cumulet.services.identity.credentials.row import CredentialRow
from cumulet.services.identity.credentials.signatures import is_ec2_signature, is_s3_signature
from cumulet.services.identity.delegations.rows import ApplicationCredentialRow, TrustRow
from cumulet.services.identity.errors import AuthenticationFailed, InvalidValue
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.body import token_body
from cumulet.services.identity.tokens.validation import Valid
from cumulet.services.identity.users.row import UserRow

RULE = "identity:"
Signed = Callable[[str, Mapping[str, Any]], bool]
_BODY = Body(
    "",
    [Field("credentials", AnyObject, create=OPTIONAL), Field("ec2Credentials", AnyObject, create=OPTIONAL)],
    extra=True,
)


async def enter_by_key(room: Identity, access: str, proves: Callable[[str], bool]) -> tuple[str, Valid]:
    """A token for whoever holds the secret of an access key; `proves` tells whether a secret is the one.

    Raises AuthenticationFailed.
    """
    async with room.database.read() as tx:
        row = await tx.get(CredentialRow, id=id_of_access(access), type=EC2)
        user = await tx.get(UserRow, id=row.user_id) if row else None
        if row is None or user is None:
            raise AuthenticationFailed
        keys = msgspec.json.decode(opened(room, row))
        trust = await tx.get(TrustRow, id=keys["trust_id"]) if keys.get("trust_id") else None
        lent = keys.get("app_cred_id")
        credential = await tx.get(ApplicationCredentialRow, id=lent) if lent else None
    if not proves(keys["secret"]) or (lent and credential is None) or (keys.get("trust_id") and trust is None):
        raise AuthenticationFailed
    await check_standing(room, user)
    if trust:
        async with room.database.read() as tx:
            trustee = await tx.get(UserRow, id=trust.trustee_id)
        if trustee is None:
            raise AuthenticationFailed
        user = trustee
    expires_at = credential.expires_at if credential else 0
    proof = Proof(user, ("password",), credential=credential, project_id=row.project_id, expires_at=expires_at)
    return await issue(room, proof, ("password",), Scope(project_id=row.project_id, trust=trust))


async def _check(room: Identity, call: Call, signed: Signed) -> tuple[str, Valid]:
    given = call.wish.get("credentials") or call.wish.get("ec2Credentials")
    if not given or not isinstance(given.get("access"), str) or not given["access"]:
        raise InvalidValue("credentials: give access, signature, and what was signed.")
    return await enter_by_key(room, given["access"], lambda secret: signed(secret, given))


async def ec2(room: Identity, call: Call) -> Response:
    call.allow(RULE + "ec2tokens_validate", {})
    text, valid = await _check(room, call, is_ec2_signature)
    body = token_body(valid, await catalog_for(room, valid.token.project_id, valid.standing.user.id))
    return Response.json(200, body, {"X-Subject-Token": text})


async def s3(room: Identity, call: Call) -> Response:
    call.allow(RULE + "s3tokens_validate", {})
    _, valid = await _check(room, call, is_s3_signature)
    return Response.json(
        200, token_body(valid, await catalog_for(room, valid.token.project_id, valid.standing.user.id))
    )


ROUTES = (
    Endpoint("POST", "/ec2tokens", ec2, 200, body=_BODY, name="ec2tokens"),
    Endpoint("POST", "/s3tokens", s3, 200, body=_BODY, name="s3tokens"),
)
