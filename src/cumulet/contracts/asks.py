"""Questions to a node: sealed, so that only the control plane can ask, and for a short time only. What is secret in
them is hidden besides: between the two there may be no TLS."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from cumulet.contracts.record import Record

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class Ask(Record, frozen=True, kw_only=True):
    """One question. `what` is one of the words a node knows; parameters are ids and numbers."""

    what: str
    parameters: dict[str, str] = {}
    expires_at: int = 0


class Answer(Record, frozen=True, kw_only=True):
    """The line that comes before the answer's bytes."""

    status: int = 200
    length: int = 0
    """Bytes that follow; for a tunnel 0, and bytes flow both ways."""
    message: str = ""


class _Sealed(Record, frozen=True, kw_only=True):
    text: str
    seal: str
    hidden: str = ""
    """Parameters that only the node can read."""


class BadSeal(Exception):
    """The question was not made by the control plane, or is too old."""


def seal(ask: Ask, key: str, secrets: Mapping[str, str] | None = None) -> bytes:
    """The question as one line, with the proof that whoever asked knows the node's key. `secrets` are parameters too,
    which nobody reads on the way."""
    text = msgspec.json.encode(ask).decode()
    hidden = _cipher(key).encrypt(msgspec.json.encode(secrets)).decode() if secrets else ""
    return msgspec.json.encode(_Sealed(text=text, seal=_proof(text + hidden, key), hidden=hidden))


def unseal(line: bytes, key: str, now: int) -> Ask:
    """The question in a sealed line. Raises BadSeal."""
    try:
        sealed = msgspec.json.decode(line, type=_Sealed)
        if not hmac.compare_digest(sealed.seal, _proof(sealed.text + sealed.hidden, key)):
            raise BadSeal("the seal does not fit")
        ask = msgspec.json.decode(sealed.text, type=Ask)
        if sealed.hidden:
            secrets = msgspec.json.decode(_cipher(key).decrypt(sealed.hidden), type=dict[str, str])
            ask = msgspec.structs.replace(ask, parameters={**ask.parameters, **secrets})
    except msgspec.DecodeError as error:
        raise BadSeal(f"this is no question: {error}") from error
    if ask.expires_at < now:
        raise BadSeal("the question is too old; compare the clocks of both hosts")
    return ask


def opened_by(line: str | bytes) -> Ask:
    """The question in a sealed line, for whoever needs no proof: nodes of one process."""
    return msgspec.json.decode(msgspec.json.decode(line, type=_Sealed).text, type=Ask)


def _cipher(key: str) -> Fernet:
    # Loaded by those alone who have a secret to tell.
    from cryptography.fernet import Fernet

    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"hidden" + key.encode()).digest()))


def _proof(text: str, key: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
