"""Questions to a node: sealed, so that only the control plane can ask, and for a short time only."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from cumulet.contracts.record import Record


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


class BadSeal(Exception):
    """The question was not made by the control plane, or is too old."""


def seal(ask: Ask, key: str) -> bytes:
    """The question as one line, with the proof that whoever asked knows the node's key."""
    text = msgspec.json.encode(ask).decode()
    return msgspec.json.encode(_Sealed(text=text, seal=_proof(text, key)))


def unseal(line: bytes, key: str, now: int) -> Ask:
    """The question in a sealed line. Raises BadSeal."""
    try:
        sealed = msgspec.json.decode(line, type=_Sealed)
        if not hmac.compare_digest(sealed.seal, _proof(sealed.text, key)):
            raise BadSeal("the seal does not fit")
        ask = msgspec.json.decode(sealed.text, type=Ask)
    except msgspec.DecodeError as error:
        raise BadSeal(f"this is no question: {error}") from error
    if ask.expires_at < now:
        raise BadSeal("the question is too old; compare the clocks of both hosts")
    return ask


def opened_by(line: str | bytes) -> Ask:
    """The question in a sealed line, for whoever needs no proof: nodes of one process."""
    return msgspec.json.decode(msgspec.json.decode(line, type=_Sealed).text, type=Ask)


def _proof(text: str, key: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
