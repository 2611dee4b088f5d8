"""This cloud as a service provider: whose assertions it takes, and each of them once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
from pathlib import Path

import sqlalchemy as sa
from cryptography.fernet import InvalidToken

from cumulet.core.db import Duplicate, Query, Transaction
from cumulet.lib.clock import SECOND
from cumulet.services.identity.errors import AuthenticationFailed
from cumulet.services.identity.federation.addresses import AUTH, OF_PROVIDER, entity_id, public
from cumulet.services.identity.federation.mapping import Attributes
from cumulet.services.identity.federation.rows import ProtocolRow, SeenAssertionRow
from cumulet.services.identity.federation.saml.asking import envelope, id_for, question, redirection
from cumulet.services.identity.federation.saml.reading import Expected, Told, response_in, told
from cumulet.services.identity.federation.saml.xml import NAMES, BadXml, read, text_of
from cumulet.services.identity.room import Identity

log = logging.getLogger("cumulet.federation")
LASTS = 600
_OLD = Query(
    sa.delete(SeenAssertionRow.table).where(SeenAssertionRow.c.ends_at < sa.bindparam("now", type_=sa.BigInteger))
)


def browser_question(room: Identity, protocol: ProtocolRow, state: str) -> str:
    """Where a browser is sent, to come back to its own address with an answer."""
    sso_url, now = room.settings.saml_providers[protocol.idp_id].sso_url, room.clock.now()
    consumer = public(room.settings, OF_PROVIDER, idp_id=protocol.idp_id, protocol_id=protocol.id)[0]
    message = question(entity_id(room.settings), consumer, state, now, destination=sso_url)
    return redirection(sso_url, message, state)


async def from_browser(room: Identity, protocol: ProtocolRow, response: str, state: str) -> Attributes:
    """What the answer that a browser brings says. Raises AuthenticationFailed."""
    try:
        raw = base64.b64decode(response, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AuthenticationFailed from error
    return await _taken(room, protocol, raw, id_for(state), OF_PROVIDER)


def client_question(room: Identity, protocol: ProtocolRow) -> bytes:
    """A question for a client. What comes back with the answer proves that it was asked here, and when."""
    now = room.clock.now()
    state = room.receipt_keys.fernet.encrypt_at_time(_about(protocol), now // SECOND).decode()
    consumer = public(room.settings, AUTH, idp_id=protocol.idp_id, protocol_id=protocol.id)[0]
    return envelope(entity_id(room.settings), consumer, state, now)


async def from_client(room: Identity, protocol: ProtocolRow, raw: bytes) -> Attributes:
    """What the answer that a client brings says; or what another cloud says unasked. Raises AuthenticationFailed."""
    try:
        states = [text_of(element) for element in read(raw).findall("S:Header/ecp:RelayState", NAMES)]
    except BadXml as reason:
        raise _refused(protocol, reason) from reason
    state = next((state for state in states if _is_ours(room, protocol, state)), "")
    if not state and not room.settings.saml_providers[protocol.idp_id].unasked:
        raise _refused(protocol, "it was not asked for")
    return await _taken(room, protocol, raw, id_for(state) if state else "", AUTH)


def _about(protocol: ProtocolRow) -> bytes:
    return b"\0".join((b"ecp", protocol.idp_id.encode(), protocol.id.encode()))


def _is_ours(room: Identity, protocol: ProtocolRow, state: str) -> bool:
    fernet, sealed = room.receipt_keys.fernet, state.encode("utf-8", "replace")
    try:
        asked_at = fernet.extract_timestamp(sealed)
        return fernet.decrypt(sealed) == _about(protocol) and room.clock.now() // SECOND < asked_at + LASTS
    except InvalidToken:
        return False


async def _taken(room: Identity, protocol: ProtocolRow, raw: bytes, answer_to: str, path: str) -> Attributes:
    given = room.settings.saml_providers[protocol.idp_id]
    expected = Expected(
        issuer=given.entity_id,
        certificates=[Path(file).read_text() for file in given.certificates],
        audience=entity_id(room.settings),
        audience_required=given.audience_required,
        recipients=public(room.settings, path, idp_id=protocol.idp_id, protocol_id=protocol.id),
        answer_to=answer_to,
        now=room.clock.now(),
    )
    try:
        found = told(response_in(raw), expected)
    except BadXml as reason:
        raise _refused(protocol, reason) from reason
    await _take_once(room, protocol, found)
    return found.attributes


async def _take_once(room: Identity, protocol: ProtocolRow, found: Told) -> None:
    """Remember an assertion for as long as it could be brought again."""
    key = hashlib.sha256(f"{protocol.idp_id}\0{found.id}".encode()).hexdigest()

    async def write(tx: Transaction) -> None:
        await tx.execute(_OLD, {"now": room.clock.now()})
        await tx.insert(SeenAssertionRow(key, found.ends_at))

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise _refused(protocol, "it has been brought before") from taken


def _refused(protocol: ProtocolRow, reason: object) -> AuthenticationFailed:
    log.warning("an assertion of %s is refused: %s", protocol.idp_id, reason)
    return AuthenticationFailed()
