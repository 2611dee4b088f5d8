"""`…/protocols/{protocol}/auth`: what somebody else says of a person, for a token."""

from __future__ import annotations

from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.services.identity.auth.tokens import SUBJECT
from cumulet.services.identity.federation.arrival import enter, find_way
from cumulet.services.identity.federation.presented import presented
from cumulet.services.identity.federation.protocols import PATH
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.body import token_body


async def auth(room: Identity, call: Call) -> Response:
    """A token without a scope; with it, one is chosen at `/auth/tokens`."""
    provider, protocol = await find_way(room, call.path["idp_id"], call.path["protocol_id"])
    text, valid = await enter(room, provider, protocol, await presented(room, call, provider, protocol))
    return Response.json(201, token_body(valid, None), {SUBJECT: text, "Vary": "X-Auth-Token"})


_PATH = f"{PATH}/{{protocol_id}}/auth"
ROUTES = (
    Endpoint("GET", _PATH, auth, 201, open=True, raw=True, name="federated_auth"),
    Endpoint("POST", _PATH, auth, 201, open=True, raw=True, name="federated_auth"),
)
