"""`/auth/tokens`: getting a token, looking at one, ending one."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.services.identity.auth.authenticate import authenticate
from cumulet.services.identity.auth.body import AUTH
from cumulet.services.identity.auth.receipts import HEADER
from cumulet.services.identity.catalog.assembled import catalog_for
from cumulet.services.identity.federation.service_providers import in_tokens
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.body import token_body
from cumulet.services.identity.tokens.validation import Valid, validate

SUBJECT = "X-Subject-Token"


async def create(room: Identity, call: Call) -> Response:
    headers = call.request.headers
    # A consumer's proof is the signature of this very request.
    call.wish["identity"]["oauth1"] = {
        "authorization": headers.get("authorization", ""),
        "url": f"{call.base}/auth/tokens",
    }
    result = await authenticate(room, call.wish, headers.get(HEADER, ""))
    if isinstance(result, Response):
        return result
    text, valid = result
    return Response.json(201, await _shown(room, call, valid), {SUBJECT: text, "Vary": "X-Auth-Token"})


async def show(room: Identity, call: Call) -> Response:
    text, valid = await _subject(room, call, "identity:validate_token")
    return Response.json(200, await _shown(room, call, valid), {SUBJECT: text, "Vary": "X-Auth-Token"})


async def check(room: Identity, call: Call) -> Response:
    text, _ = await _subject(room, call, "identity:check_token")
    return Response(200, headers={SUBJECT: text, "Vary": "X-Auth-Token"})


async def revoke(room: Identity, call: Call) -> None:
    _, valid = await _subject(room, call, "identity:revoke_token")
    await room.change(lambda tx: room.revoke(tx, "audit_id", valid.token.audit_ids[0]))


async def _subject(room: Identity, call: Call, rule: str) -> tuple[str, Valid]:
    """The token that the call is about. It is looked up first, since the rule asks whose it is."""
    text = call.request.headers.get(SUBJECT.lower(), "")
    grace = 0
    if call.request.one("allow_expired") in ("1", "true", "True"):
        grace = room.settings.expired_window
    valid = await validate(room, text, grace=grace)
    call.allow(rule, {"target": {"token": {"user_id": valid.token.user_id}}})
    return text, valid


async def _shown(room: Identity, call: Call, valid: Valid) -> dict[str, Any]:
    clouds = await in_tokens(room)
    if call.request.one("nocatalog") is not None:
        return token_body(valid, None, clouds)
    return token_body(valid, await catalog_for(room, valid.token.project_id, valid.standing.user.id), clouds)


ROUTES = (
    Endpoint("POST", "/auth/tokens", create, 201, body=AUTH, open=True, name="create"),
    Endpoint("GET", "/auth/tokens", show, 200, name="show"),
    Endpoint("HEAD", "/auth/tokens", check, 200, name="check"),
    Endpoint("DELETE", "/auth/tokens", revoke, 204, name="revoke"),
)
