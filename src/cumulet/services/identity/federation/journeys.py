"""What a browser takes along to its identity provider and must bring back: sealed, in a cookie, for ten minutes.

The cookie ties an answer to the browser that asked: whoever lures somebody to the address of an answer of his own would
else log him in as himself.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from http.cookies import CookieError, SimpleCookie

import msgspec
from cryptography.fernet import InvalidToken

from cumulet.lib.clock import SECOND
from cumulet.services.identity.errors import AuthenticationFailed
from cumulet.services.identity.room import Identity

LASTS = 600
LONGEST = 3500


class Journey(msgspec.Struct, frozen=True, tag="websso", forbid_unknown_fields=True):
    """One login by browser, on its way."""

    idp_id: str
    protocol_id: str
    origin: str
    """The dashboard that the token is for."""
    state: str
    nonce: str
    verifier: str
    expires_at: int

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier, so that only this journey can redeem its code."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def cookie(self) -> str:
        return _name(self.state)


def depart(room: Identity, idp_id: str, protocol_id: str, origin: str) -> Journey:
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Journey(idp_id, protocol_id, origin, state, nonce, verifier, room.clock.now() + LASTS * SECOND)


def cookie_of(room: Identity, journey: Journey, *, posted: bool = False) -> str:
    """The header that gives it to the browser. With an answer that another site makes it post, a browser sends only
    cookies that allow it, and it allows that only to those which nobody can overhear.
    """
    sealed = room.receipt_keys.fernet.encrypt(msgspec.msgpack.encode(journey)).decode()
    secure = "; Secure" if room.settings.base_url.startswith("https:") else ""
    same_site = "" if posted and not secure else f"; SameSite={'None' if posted else 'Lax'}"
    return f"{journey.cookie}={sealed}; Path=/; Max-Age={LASTS}; HttpOnly{same_site}{secure}"


def ended(journey: Journey) -> str:
    """The header that takes it away."""
    return f"{journey.cookie}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"


def arrived(room: Identity, cookies: str, state: str) -> Journey:
    """The journey that a browser has come back from. Raises AuthenticationFailed for one that never began here."""
    try:
        sealed = SimpleCookie(cookies)[_name(state)].value
        opened = room.receipt_keys.fernet.decrypt(sealed.encode())
        journey = msgspec.msgpack.decode(opened, type=Journey)
    except (CookieError, KeyError, InvalidToken, UnicodeEncodeError, msgspec.MsgspecError) as error:
        raise AuthenticationFailed from error
    if journey.state != state or journey.expires_at <= room.clock.now():
        raise AuthenticationFailed
    return journey


def _name(state: str) -> str:
    """A cookie for each journey: somebody may log in by two windows at once."""
    return "websso-" + hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()[:16]
