"""Logins by browser for a dashboard: `…/websso?origin=…`, there and back."""

from __future__ import annotations

import logging
from html import escape
from urllib.parse import parse_qsl, quote

import sqlalchemy as sa

from cumulet.core.db import Query
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.services.identity.errors import AuthenticationFailed, InvalidValue, Missing
from cumulet.services.identity.federation import form
from cumulet.services.identity.federation.addresses import OF_PROVIDER, public
from cumulet.services.identity.federation.arrival import enter, find_way
from cumulet.services.identity.federation.journeys import Journey, arrived, cookie_of, depart, ended
from cumulet.services.identity.federation.mapping import Attributes
from cumulet.services.identity.federation.presented import (
    SAML_ISSUER,
    bearer_token,
    believed,
    check_provider,
    presented,
    told,
)
from cumulet.services.identity.federation.proxy import attributes_in
from cumulet.services.identity.federation.rows import IdentityProviderRow, ProtocolRow, RemoteIdRow
from cumulet.services.identity.room import Identity

log = logging.getLogger("cumulet.federation")
OF_PROTOCOL = "/auth/OS-FEDERATION/websso/{protocol_id}"
LONGEST_FORM = 512 * 1024
MOST_FIELDS = 100
FORM = "application/x-www-form-urlencoded"
_WITH_PROTOCOL = Query(
    sa.select(IdentityProviderRow.table)
    .join(ProtocolRow.table, ProtocolRow.c.idp_id == IdentityProviderRow.c.id)
    .where(ProtocolRow.c.id == sa.bindparam("protocol", type_=sa.String), IdentityProviderRow.c.enabled.is_(sa.true()))
    .order_by(IdentityProviderRow.c.id)
)


async def by_provider(room: Identity, call: Call) -> Response:
    """A login at one provider: the way there, the way back, or what a proxy says of a browser that has been there."""
    provider, protocol = await find_way(room, call.path["idp_id"], call.path["protocol_id"])
    if provider.id in room.settings.saml_providers and call.request.headers.get("content-type", "").startswith(FORM):
        return await _back_by_post(room, call, provider, protocol)
    state = call.request.one("state")
    if state is not None:
        return await _back(room, call, provider, protocol, state)
    origin = trusted_origin(room, call)
    if _lets_browsers_in(room, provider) and not bearer_token(call):
        return await _there(room, provider, protocol, origin)
    return await deliver(room, provider, protocol, origin, await presented(room, call, provider, protocol))


async def by_protocol(room: Identity, call: Call) -> Response:
    """A login at whichever provider speaks this protocol: the one a proxy names, the only one, or one to choose."""
    origin, protocol_id = trusted_origin(room, call), call.path["protocol_id"]
    attributes = attributes_in(call.request.headers, room.settings.proxy)
    if attributes is not None:
        provider, protocol = await _named(room, attributes, protocol_id)
        return await deliver(room, provider, protocol, origin, await presented(room, call, provider, protocol))
    async with room.database.read() as tx:
        rows = await tx.rows(IdentityProviderRow, _WITH_PROTOCOL, {"protocol": protocol_id})
    providers = [row for row in rows if _lets_browsers_in(room, row)]
    if not providers:
        raise Missing(f"No identity provider lets browsers in by the protocol {protocol_id[:64]}.")
    if len(providers) > 1:
        return _choice(call, providers, protocol_id, origin)
    provider, protocol = await find_way(room, providers[0].id, protocol_id)
    return await _there(room, provider, protocol, origin)


def trusted_origin(room: Identity, call: Call) -> str:
    """The dashboard that a token is asked for. Raises AuthenticationFailed for one that the operator does not trust."""
    origin = call.request.one("origin")
    if not origin:
        raise InvalidValue("origin: name the dashboard that the token is for.")
    if origin not in room.settings.trusted_dashboards:
        log.warning("a login for %r is refused: it is no trusted dashboard", origin[:200])
        raise AuthenticationFailed("The origin is not a trusted dashboard.")
    return origin


async def deliver(
    room: Identity,
    provider: IdentityProviderRow,
    protocol: ProtocolRow,
    origin: str,
    attributes: Attributes,
    headers: dict[str, str] | None = None,
) -> Response:
    """The page that takes a person's token to the dashboard."""
    result = await enter(room, provider, protocol, attributes)
    if isinstance(result, Response):
        return result
    return form.page(origin, {"token": result[0]}, headers)


async def _there(room: Identity, provider: IdentityProviderRow, protocol: ProtocolRow, origin: str) -> Response:
    journey = depart(room, provider.id, protocol.id, origin)
    if provider.id not in room.openid:
        return _there_by_saml(room, protocol, journey)
    there = room.openid[provider.id].login_url(
        _address(room, provider, protocol), journey.state, journey.nonce, journey.challenge
    )
    headers = {"Location": await told(there), "Set-Cookie": cookie_of(room, journey), "Cache-Control": "no-store"}
    return Response(302, headers=headers)


def _lets_browsers_in(room: Identity, provider: IdentityProviderRow) -> bool:
    saml = room.settings.saml_providers.get(provider.id)
    return provider.id in room.openid or bool(saml and saml.sso_url)


def _there_by_saml(room: Identity, protocol: ProtocolRow, journey: Journey) -> Response:
    from cumulet.services.identity.federation.saml.service import browser_question

    location = browser_question(room, protocol, journey.state)
    cookie = cookie_of(room, journey, posted=True)
    return Response(302, headers={"Location": location, "Set-Cookie": cookie, "Cache-Control": "no-store"})


async def _back_by_post(room: Identity, call: Call, provider: IdentityProviderRow, protocol: ProtocolRow) -> Response:
    """The way back from a provider who has the browser post his answer."""
    from cumulet.services.identity.federation.saml.service import from_browser

    body = await call.request.body(LONGEST_FORM)
    given = _fields(body)
    journey = arrived(room, call.request.headers.get("cookie", ""), given.get("RelayState", ""))
    if (journey.idp_id, journey.protocol_id) != (provider.id, protocol.id):
        raise AuthenticationFailed
    attributes = await from_browser(room, protocol, given.get("SAMLResponse", ""), journey.state)
    check_provider(provider, attributes, protocol.remote_id_attribute or SAML_ISSUER)
    return await deliver(room, provider, protocol, journey.origin, attributes, {"Set-Cookie": ended(journey)})


def _fields(body: bytes) -> dict[str, str]:
    """What a browser posts. Raises InvalidValue for more than anybody has to say."""
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise InvalidValue(
            f"The form has more than {MOST_FIELDS} fields; SAMLResponse and RelayState are due."
        ) from error


async def _back(
    room: Identity, call: Call, provider: IdentityProviderRow, protocol: ProtocolRow, state: str
) -> Response:
    journey = arrived(room, call.request.headers.get("cookie", ""), state)
    openid, code = room.openid.get(provider.id), call.request.one("code")
    if openid is None or (journey.idp_id, journey.protocol_id) != (provider.id, protocol.id):
        raise AuthenticationFailed
    if not code:
        log.info("%s did not let somebody in: %.100s", provider.id, call.request.one("error"))
        raise AuthenticationFailed
    redeemed = openid.redeemed(code, _address(room, provider, protocol), journey.verifier, journey.nonce)
    attributes = believed(provider, protocol, openid, await told(redeemed))
    return await deliver(room, provider, protocol, journey.origin, attributes, {"Set-Cookie": ended(journey)})


def _address(room: Identity, provider: IdentityProviderRow, protocol: ProtocolRow) -> str:
    """Where a provider sends browsers back to. It has to be entered there."""
    return public(room.settings, OF_PROVIDER, idp_id=provider.id, protocol_id=protocol.id)[0]


async def _named(room: Identity, attributes: Attributes, protocol_id: str) -> tuple[IdentityProviderRow, ProtocolRow]:
    """The provider whom the attributes name."""
    names = attributes.get(room.settings.proxy.remote_id_attribute, [])
    async with room.database.read() as tx:
        known = await tx.find(RemoteIdRow, remote_id=list(names)) if names else []
    if not known:
        raise Missing("Could not find identity provider: the request does not name one that is known here.")
    return await find_way(room, known[0].idp_id, protocol_id)


def _choice(call: Call, providers: list[IdentityProviderRow], protocol_id: str, origin: str) -> Response:
    """A page on which somebody chooses who vouches for him."""
    entries = []
    for provider in providers:
        path = OF_PROVIDER.format(idp_id=quote(provider.id, safe=""), protocol_id=quote(protocol_id, safe=""))
        address = f"{call.base}{path}?origin={quote(origin, safe='')}"
        entries.append(f'<li><a href="{escape(address)}">{escape(provider.description or provider.id)}</a></li>')
    text = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Logging in</title></head><body>'
        f"<h1>Who knows you?</h1><ul>{''.join(entries)}</ul></body></html>"
    )
    policy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return Response(200, text.encode(), headers)


ROUTES = tuple(
    Endpoint(method, path, run, 200, open=True, raw=True, name="websso")
    for method in ("GET", "POST")
    for path, run in ((OF_PROVIDER, by_provider), (OF_PROTOCOL, by_protocol))
)
