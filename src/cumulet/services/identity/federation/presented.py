"""What a request presents of a person: a provider's token, or the word of the operator's proxy."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

import msgspec

from cumulet.core.errors import Unavailable
from cumulet.core.web.call import Call
from cumulet.services.identity.errors import AuthenticationFailed, NotAllowed
from cumulet.services.identity.federation.mapping import Attributes
from cumulet.services.identity.federation.oidc.claims import ISSUER, attributes_of
from cumulet.services.identity.federation.oidc.outside import Unreachable
from cumulet.services.identity.federation.oidc.provider import Claims, OpenIdProvider, Untrusted
from cumulet.services.identity.federation.proxy import attributes_in
from cumulet.services.identity.federation.rows import IdentityProviderRow, ProtocolRow
from cumulet.services.identity.room import Identity

T = TypeVar("T")
log = logging.getLogger("cumulet.federation")


async def presented(room: Identity, call: Call, provider: IdentityProviderRow, protocol: ProtocolRow) -> Attributes:
    """The attributes of whoever sends this. Raises AuthenticationFailed, or NotAllowed for another provider's."""
    openid = room.openid.get(provider.id)
    token = bearer_token(call)
    if openid and token:
        return believed(provider, protocol, openid, await told(openid.bearer(token)))
    attributes = attributes_in(call.request.headers, room.settings.proxy)
    if attributes is None:
        raise AuthenticationFailed
    check_provider(provider, attributes, protocol.remote_id_attribute or room.settings.proxy.remote_id_attribute)
    return attributes


def bearer_token(call: Call) -> str:
    kind, _, token = call.request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


async def told(answer: Awaitable[T]) -> T:
    """What a provider says. Raises AuthenticationFailed for proofs that are none, Unavailable where nobody answers."""
    try:
        return await answer
    except Untrusted as reason:
        log.warning("a login is refused: %s", reason)
        raise AuthenticationFailed from reason
    except Unreachable as reason:
        log.error("an identity provider cannot be asked: %s", reason)
        raise Unavailable("The identity provider cannot be reached now. Try again later.") from reason


def believed(
    provider: IdentityProviderRow, protocol: ProtocolRow, openid: OpenIdProvider, claims: Claims
) -> Attributes:
    """Claims as attributes. Raises NotAllowed when they are not those of this provider."""
    attributes = attributes_of(claims, openid.settings.issuer)
    check_provider(provider, attributes, protocol.remote_id_attribute or ISSUER)
    return attributes


def check_provider(provider: IdentityProviderRow, attributes: Attributes, named_in: str) -> None:
    """Raise NotAllowed unless the attributes name the provider as he is known, if he is known by any name."""
    known = msgspec.json.decode(provider.remote_ids)
    if known and not set(attributes.get(named_in, ())) & set(known):
        raise NotAllowed("Who vouches here is none of those who are known as this identity provider.")
