"""OAuth 2.0 client credentials (RFC 6749, 4.4): the client is an application credential."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl

from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.lib.clock import SECOND
from cumulet.services.identity.auth.authenticate import authenticate
from cumulet.services.identity.errors import AuthenticationFailed
from cumulet.services.identity.room import Identity

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


async def token(room: Identity, call: Call) -> Response:
    form = dict(parse_qsl((await call.request.body(16_384)).decode("utf-8", "replace"), keep_blank_values=True))
    if form.get("grant_type") != "client_credentials":
        return _refusal(400, "unsupported_grant_type", "The only grant type here is client_credentials.")
    client = _client(call.request.headers.get("authorization", ""))
    if client is None:
        return _refusal(401, "invalid_client", "Give the application credential's id and secret by HTTP Basic.")
    given = {"methods": ["application_credential"], "application_credential": {"id": client[0], "secret": client[1]}}
    try:
        result = await authenticate(room, {"identity": given})
    except AuthenticationFailed:
        return _refusal(401, "invalid_client", "The client is unknown, or its secret is wrong.")
    assert not isinstance(result, Response)  # receipts are for proofs without a credential
    text, valid = result
    seconds = (valid.token.expires_at - room.clock.now()) // SECOND
    body = {"access_token": text, "token_type": "Bearer", "expires_in": seconds}
    return Response.json(200, body, NO_STORE)


def _client(header: str) -> tuple[str, str] | None:
    kind, _, text = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, secret) if colon and name and "\x00" not in name else None


def _refusal(status: int, error: str, sentence: str) -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="Cumulet"'} if status == 401 else {}
    return Response.json(status, {"error": error, "error_description": sentence}, NO_STORE | headers)


ROUTES = (Endpoint("POST", "/OS-OAUTH2/token", token, 200, open=True, raw=True, name="oauth2_token"),)
