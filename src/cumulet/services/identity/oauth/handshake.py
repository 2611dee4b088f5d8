"""The three steps by which a consumer comes to a user's roles: it asks, he agrees, it collects."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import ListOf, Obj
from cumulet.lib.clock import SECOND, iso_micros_z
from cumulet.lib.ids import new_hex
from cumulet.lib.numbers import whole
from cumulet.services.identity.assignments.row import PROJECT, role_ids
from cumulet.services.identity.errors import AuthenticationFailed, InvalidValue, Missing, NotAllowed
from cumulet.services.identity.federation.memberships import lasting
from cumulet.services.identity.fields import Id
from cumulet.services.identity.oauth.rows import AccessTokenRow, ConsumerRow, RequestTokenRow
from cumulet.services.identity.oauth.signature import is_signed, read_header
from cumulet.services.identity.projects.row import project_of
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.validation import roles_known

RULE = "identity:"
REQUEST_SECONDS, ACCESS_SECONDS = 28_800, 86_400
CLOCK_SECONDS = 3600
"""How far a consumer's clock may be off; an older signature is not taken a second time."""
_ROLES = Body("roles", [], kind=ListOf(Obj(Field("id", Id, create=REQUIRED)), most=100, least=1))


def opened(room: Identity, text: str) -> str:
    return room.credential_keys.fernet.decrypt(text.encode()).decode()


async def proven(
    room: Identity, header: str, method: str, url: str, row: type[RequestTokenRow] | type[AccessTokenRow] | None
) -> tuple[dict[str, str], ConsumerRow, Any]:
    """The header's parameters, the consumer and its token, if both signed this. Raises AuthenticationFailed."""
    given = read_header(header)
    async with room.database.read() as tx:
        consumer = await tx.get(ConsumerRow, id=given.get("oauth_consumer_key", ""))
        held = await tx.get(row, id=given.get("oauth_token", "")) if row else None
    if consumer is None or (row and (held is None or held.consumer_id != consumer.id)):
        raise AuthenticationFailed
    now = room.clock.now()
    try:
        said = whole(given.get("oauth_timestamp", ""))
    except ValueError as error:
        raise AuthenticationFailed from error
    if abs(said - now // SECOND) > CLOCK_SECONDS:
        raise AuthenticationFailed
    if held is not None and held.expires_at <= now:
        raise AuthenticationFailed
    secret = opened(room, held.secret) if held is not None else ""
    if not is_signed(given, method, url, opened(room, consumer.secret), secret):
        raise AuthenticationFailed
    return given, consumer, held


def _answer(key: str, secret: str, expires_at: int) -> Response:
    answer = {"oauth_token": key, "oauth_token_secret": secret, "oauth_expires_at": iso_micros_z(expires_at)}
    body = urlencode(answer, safe=":")  # clients take the instant as it stands
    return Response(201, body.encode(), {"content-type": "application/x-www-form-urlencoded"})


async def request_token(room: Identity, call: Call) -> Response:
    """First step: a consumer asks for roles in a project."""
    headers = call.request.headers
    url = f"{call.base}/OS-OAUTH1/request_token"
    given, consumer, _ = await proven(room, headers.get("authorization", ""), "POST", url, None)
    project_id = headers.get("requested-project-id", "")
    if not given.get("oauth_callback"):
        raise InvalidValue("oauth_callback: the parameter is missing; say `oob` to hand the verifier over by hand.")
    async with room.database.read() as tx:
        if not await project_of(tx, project_id):
            raise Missing(f"Could not find project: {project_id[:64]}. Name it in the header Requested-Project-Id.")
    secret, expires_at = secrets.token_hex(16), room.clock.now() + REQUEST_SECONDS * SECOND
    sealed = room.credential_keys.fernet.encrypt(secret.encode()).decode()
    row = RequestTokenRow(new_hex(), consumer.id, sealed, project_id, "", "", "[]", expires_at)
    await room.database.write(lambda tx: tx.insert(row))
    return _answer(row.id, secret, expires_at)


async def authorize(room: Identity, call: Call) -> dict[str, Any]:
    """Second step: a user lends roles that he has in that project."""
    call.allow(RULE + "authorize_request_token", {})
    caller = call.caller
    if any(caller.facts.get(name) for name in ("trust_id", "application_credential_id", "access_token_id")):
        raise NotAllowed("Who acts by a delegation may not lend its roles on.")
    asked = [words["id"] for words in call.wish["roles"]]
    book = await roles_known(room)

    async def write(tx: Transaction) -> str:
        row = await tx.get(RequestTokenRow, id=call.path["request_token_id"])
        if row is None or row.expires_at <= room.clock.now():
            raise Missing(f"Could not find request token: {call.path['request_token_id'][:64]}.")
        project = await project_of(tx, row.project_id)
        brought = await lasting(tx, caller.user_id, room.clock.now())
        above = project.ancestors if project else ()
        held = await role_ids(tx, caller.user_id, PROJECT, row.project_id, above, [*brought])
        if not set(asked) <= {role.id for role in book.in_token(held)}:
            raise NotAllowed("You can lend only roles that you have in the project which the consumer asks for.")
        verifier = secrets.token_hex(8)
        lent = msgspec.json.encode(asked).decode()
        await tx.update(RequestTokenRow, {"id": row.id}, verifier=verifier, user_id=caller.user_id, role_ids=lent)
        return verifier

    return {"token": {"oauth_verifier": await room.database.write(write)}}


async def access_token(room: Identity, call: Call) -> Response:
    """Third step: the consumer shows the verifier and collects."""
    url = f"{call.base}/OS-OAUTH1/access_token"
    header = call.request.headers.get("authorization", "")
    given, consumer, asked = await proven(room, header, "POST", url, RequestTokenRow)
    if not asked.verifier or given.get("oauth_verifier") != asked.verifier:
        raise AuthenticationFailed
    secret, now = secrets.token_hex(16), room.clock.now()
    sealed = room.credential_keys.fernet.encrypt(secret.encode()).decode()
    row = AccessTokenRow(
        id=new_hex(),
        consumer_id=consumer.id,
        secret=sealed,
        project_id=asked.project_id,
        user_id=asked.user_id,
        role_ids=asked.role_ids,
        expires_at=now + ACCESS_SECONDS * SECOND,
        created_at=now,
    )

    async def write(tx: Transaction) -> None:
        if not await tx.delete(RequestTokenRow, id=asked.id):
            raise AuthenticationFailed  # it was collected a moment ago
        await tx.insert(row)

    await room.database.write(write)
    return _answer(row.id, secret, row.expires_at)


ROUTES = (
    Endpoint("POST", "/OS-OAUTH1/request_token", request_token, 201, open=True, name="request_token"),
    Endpoint("PUT", "/OS-OAUTH1/authorize/{request_token_id}", authorize, 200, body=_ROLES, name="authorize"),
    Endpoint("POST", "/OS-OAUTH1/access_token", access_token, 201, open=True, name="access_token"),
)
