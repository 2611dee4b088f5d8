"""OAuth 1.0a signatures in an Authorization header (RFC 5849). Pure."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cumulet.services.identity.passwords.hashing import same_text

_PART = re.compile(r'\s*([a-zA-Z0-9_]+)="([^"]*)"\s*(?:,|\Z)')


def read_header(header: str) -> dict[str, str]:
    """The parameters of `OAuth a="b", …`; none for another kind of header."""
    kind, _, rest = header.partition(" ")
    if kind.lower() != "oauth":
        return {}
    given = {name: unquote(value) for name, value in _PART.findall(rest) if name != "realm"}
    return {} if any("\x00" in value for value in given.values()) else given


def base_string(method: str, url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """What is signed."""
    parts = urlsplit(url)
    every = [*parameters, *parse_qsl(parts.query, keep_blank_values=True)]
    pairs = sorted((_escape(name), _escape(value)) for name, value in every)
    plain = f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path}"
    return "&".join((method.upper(), _escape(plain), _escape("&".join(f"{name}={value}" for name, value in pairs))))


def is_signed(parameters: Mapping[str, str], method: str, url: str, consumer_secret: str, token_secret: str) -> bool:
    """Do both secrets give this signature?"""
    kind = {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256"}.get(parameters.get("oauth_signature_method", ""))
    if kind is None:
        return False
    signed = [(name, value) for name, value in parameters.items() if name != "oauth_signature"]
    key = f"{_escape(consumer_secret)}&{_escape(token_secret)}".encode()
    wanted = base64.b64encode(hmac.digest(key, base_string(method, url, signed).encode(), kind)).decode()
    return same_text(wanted, parameters.get("oauth_signature", ""))


def _escape(text: str) -> str:
    return quote(text, safe="-._~")
