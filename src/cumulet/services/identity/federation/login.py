"""`…/protocols/{protocol}/auth`: what somebody else says of a person, for a token."""

from __future__ import annotations

from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.services.identity.auth.tokens import SUBJECT
from cumulet.services.identity.federation.arrival import enter, find_way
from cumulet.services.identity.federation.presented import PAOS_TYPE, brings_assertion, presented
from cumulet.services.identity.federation.protocols import PATH
from cumulet.services.identity.federation.rows import ProtocolRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.body import token_body


async def auth(room: Identity, call: Call) -> Response:
    """A token without a scope; with it, one is chosen at `/auth/tokens`."""
    provider, protocol = await find_way(room, call.path["idp_id"], call.path["protocol_id"])
    wants_question = PAOS_TYPE in call.request.headers.get("accept", "") and provider.id in room.settings.saml_providers
    if wants_question and not brings_assertion(room, call, provider):
        return _ask(room, protocol)
    result = await enter(room, provider, protocol, await presented(room, call, provider, protocol))
    if isinstance(result, Response):
        return result
    text, valid = result
    return Response.json(201, token_body(valid, None), {SUBJECT: text, "Vary": "X-Auth-Token"})


def _ask(room: Identity, protocol: ProtocolRow) -> Response:
    """The question that a client carries to the provider, to come back with his answer."""
    from cumulet.services.identity.federation.saml.service import client_question

    return Response(200, client_question(room, protocol), {"Content-Type": PAOS_TYPE, "Cache-Control": "no-store"})


_PATH = f"{PATH}/{{protocol_id}}/auth"
ROUTES = (
    Endpoint("GET", _PATH, auth, 201, open=True, raw=True, name="federated_auth"),
    Endpoint("POST", _PATH, auth, 201, open=True, raw=True, name="federated_auth"),
)
