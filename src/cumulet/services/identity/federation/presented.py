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

SAML_ISSUER = "Shib-Identity-Provider"
"""The attribute in which a SAML provider is named."""
PAOS_TYPE = "application/vnd.paos+xml"
LONGEST_MESSAGE = 512 * 1024
T = TypeVar("T")
log = logging.getLogger("cumulet.federation")


async def presented(room: Identity, call: Call, provider: IdentityProviderRow, protocol: ProtocolRow) -> Attributes:
    """The attributes of whoever sends this. Raises AuthenticationFailed, or NotAllowed for another provider's."""
    if brings_assertion(room, call, provider):
        from cumulet.services.identity.federation.saml.service import from_client

        attributes = await from_client(room, protocol, await call.request.body(LONGEST_MESSAGE))
        check_provider(provider, attributes, protocol.remote_id_attribute or SAML_ISSUER)
        return attributes
    openid = room.openid.get(provider.id)
    token = bearer_token(call)
    if openid and token:
        return believed(provider, protocol, openid, await told(openid.bearer(token)))
    told_by_proxy = attributes_in(call.request.headers, room.settings.proxy)
    if told_by_proxy is None:
        raise AuthenticationFailed
    check_provider(provider, told_by_proxy, protocol.remote_id_attribute or room.settings.proxy.remote_id_attribute)
    return told_by_proxy


def brings_assertion(room: Identity, call: Call, provider: IdentityProviderRow) -> bool:
    """Is this a client's answer to a question that it was given, or an assertion of another cloud?"""
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip()
    return provider.id in room.settings.saml_providers and call.request.method == "POST" and kind == PAOS_TYPE


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
