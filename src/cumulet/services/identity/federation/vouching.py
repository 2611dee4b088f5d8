"""This cloud as an identity provider of others: `/auth/OS-FEDERATION/saml2`, `…/ecp`, and its metadata."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import ListOf, Obj, Text
from cumulet.services.identity.auth.token import by_token
from cumulet.services.identity.errors import AuthenticationFailed, InvalidValue, Missing, NotAllowed, TokenNotFound
from cumulet.services.identity.federation.addresses import AUTH, OF_PROVIDER, entity_id, public
from cumulet.services.identity.federation.memberships import lasting
from cumulet.services.identity.federation.rows import ProtocolRow, ServiceProviderRow
from cumulet.services.identity.groups.row import GroupRow, MembershipRow
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.validation import Valid, validate

_TOKEN = Obj(Field("id", Text(8192), create=REQUIRED), extra=True)
_IDENTITY = Obj(
    Field("methods", ListOf(Text(64), most=16, least=1), create=REQUIRED),
    Field("token", _TOKEN, create=REQUIRED),
    extra=True,
)
_SCOPE = Obj(
    Field("service_provider", Obj(Field("id", Text(64, 1), create=REQUIRED), extra=True), create=REQUIRED), extra=True
)
BODY = Body(
    "auth", [Field("identity", _IDENTITY, create=REQUIRED), Field("scope", _SCOPE, create=REQUIRED)], extra=True
)


async def assertion(room: Identity, call: Call) -> Response:
    return await _answer(room, call, enveloped=False)


async def ecp(room: Identity, call: Call) -> Response:
    return await _answer(room, call, enveloped=True)


async def _answer(room: Identity, call: Call, *, enveloped: bool) -> Response:
    """What this cloud says to another one of the owner of a token."""
    from cumulet.services.identity.federation.saml.issuing import in_envelope, response
    from cumulet.services.identity.federation.saml.xml import write

    valid = await _owner(room, call.wish["identity"]["token"]["id"])
    cloud = await _cloud(room, call.wish["scope"]["service_provider"]["id"])
    async with room.database.read() as tx:
        attributes = await _about(tx, room, valid)
    settings, now = room.settings.saml, room.clock.now()
    signer = await _signer(room)
    try:
        message = response(signer, cloud.sp_url, valid.standing.user.name, attributes, now, settings.assertion_seconds)
    except ValueError as error:
        raise InvalidValue("A name in the assertion holds a character that XML cannot hold.") from error
    if enveloped:
        message = in_envelope(message, cloud.relay_state_prefix + valid.token.audit_ids[0])
    headers = {"Content-Type": "text/xml", "X-sp-url": cloud.sp_url, "X-auth-url": cloud.auth_url}
    return Response(200, write(message), headers)


async def _owner(room: Identity, token: str) -> Valid:
    """What is true of the token in the body. Raises NotAllowed for one that is for no project."""
    try:
        await by_token(room, {"id": token})  # not one that was lent
        valid = await validate(room, token)
    except TokenNotFound as error:
        raise AuthenticationFailed from error
    if not valid.token.project_id:
        raise NotAllowed("An assertion for another cloud needs a token for a project.")
    return valid


async def _cloud(room: Identity, id_: str) -> ServiceProviderRow:
    async with room.database.read() as tx:
        cloud = await tx.get(ServiceProviderRow, id=id_)
    if cloud is None:
        raise Missing(f"Could not find service provider: {id_}.")
    if not cloud.enabled:
        raise NotAllowed(f"The service provider {id_} is disabled.")
    return cloud


async def _about(tx: Transaction, room: Identity, valid: Valid) -> dict[str, list[str]]:
    """The attributes that other clouds know."""
    assert valid.standing.place is not None
    return {
        "openstack_user": [valid.standing.user.name],
        "openstack_user_domain": [valid.standing.user_domain.name],
        "openstack_roles": [role.name for role in valid.standing.roles],
        "openstack_project": [valid.standing.place.row.name],
        "openstack_project_domain": [valid.standing.place.domain.name],
        "openstack_groups": await _groups(tx, valid, room.clock.now()),
    }


async def _groups(tx: Transaction, valid: Valid, now: int) -> list[str]:
    """The user's groups, each with the name of its domain."""
    ids = {row.group_id for row in await tx.find(MembershipRow, user_id=valid.standing.user.id)}
    ids |= set(valid.token.group_ids) | set(await lasting(tx, valid.standing.user.id, now))
    rows = await tx.find(GroupRow, order_by="id", id=sorted(ids)) if ids else []
    domains = {row.id: row.name for row in await tx.find(ProjectRow, id=sorted({row.domain_id for row in rows}))}
    named: list[dict[str, Any]] = [{"name": row.name, "domain": {"name": domains[row.domain_id]}} for row in rows]
    return [f"JSON:{msgspec.json.encode(group).decode()}" for group in named]


async def metadata(room: Identity, call: Call) -> Response:
    """By what other clouds, and identity providers, know this one."""
    from cumulet.services.identity.federation.saml.issuing import metadata as document
    from cumulet.services.identity.federation.saml.xml import BY_PAOS, POST, write

    settings = room.settings
    async with room.database.read() as tx:
        ways = await tx.find(ProtocolRow, idp_id=sorted(settings.saml_providers)) if settings.saml_providers else []
    consumers = [
        (binding, public(settings, path, idp_id=way.idp_id, protocol_id=way.id)[0])
        for way in sorted(ways, key=lambda way: (way.idp_id, way.id))
        for binding, path in ((POST, OF_PROVIDER), (BY_PAOS, AUTH))
    ]
    sso_url, about = public(settings, "/auth/OS-FEDERATION/saml2")[0], settings.saml
    element = document(await _signer(room), sso_url, about.organization, about.contact_email, consumers)
    return Response(200, write(element), {"Content-Type": "text/xml"})


async def _signer(room: Identity) -> Any:
    from cumulet.services.identity.federation.saml.issuing import Signer
    from cumulet.services.identity.federation.saml.keys import key_pair

    settings = room.settings
    # In a thread: where there is no key yet, making one takes a while.
    pair = await asyncio.to_thread(key_pair, settings.saml, settings.state, room.clock.now())
    return Signer(entity_id(settings), *pair)


ROUTES = (
    *(
        Endpoint(method, f"/auth/OS-FEDERATION/saml2{suffix}", run, 200, body=BODY, open=True, name=name)
        for method in ("POST", "GET")
        for suffix, run, name in (("", assertion, "saml2"), ("/ecp", ecp, "saml2_ecp"))
    ),
    Endpoint("GET", "/OS-FEDERATION/saml2/metadata", metadata, 200, open=True, name="saml2_metadata"),
)
