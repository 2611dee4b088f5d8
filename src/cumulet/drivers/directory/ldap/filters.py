"""Conditions of a search. A value is encoded with its length and never becomes text, so it cannot break out.

`parse` reads the text form (RFC 4515), in which operators write filters of their own.
"""

from __future__ import annotations

import re
from uuid import UUID

from cumulet.drivers.directory.base import Filter
from cumulet.drivers.directory.ldap.ber import boolean, octets, tlv

AND, OR, NOT, EQUAL, SUBSTRINGS, GREATER, LESS, PRESENT, APPROXIMATE, EXTENSIBLE = range(10)
_CONSTRUCTED, _PLAIN = 0xA0, 0x80
IN_CHAIN = "1.2.840.113556.1.4.1941"
"""Active Directory's rule that follows memberships of memberships."""

GUIDS = frozenset({"objectguid"})
"""Attributes whose values are 16 bytes, and a GUID to people."""

_ATTRIBUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.;-]*\Z")
_ITEM = re.compile(r"(?P<left>[^=~<>()*\\]+?)(?P<sign>[~<>]?=)(?P<right>[^()]*)\Z", re.DOTALL)
_EXTENSIBLE = re.compile(r"(?P<name>[A-Za-z0-9.;-]*?)(?P<dn>:dn)?(:(?P<rule>[A-Za-z0-9.-]+))?:\Z")
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2})?")
DEEPEST = 32


class BadFilter(ValueError):
    """The text is no filter; says where."""


def equal(attribute: str, value: str) -> Filter:
    return _of(EQUAL, octets(attribute), octets(_guid(value) if attribute.lower() in GUIDS else value))


def _guid(text: str) -> str | bytes:
    try:
        return UUID(text).bytes_le
    except ValueError:
        return text


def present(attribute: str) -> Filter:
    return Filter(octets(attribute, _PLAIN | PRESENT))


def every(*filters: Filter) -> Filter:
    return filters[0] if len(filters) == 1 else _of(AND, *filters)


def either(*filters: Filter) -> Filter:
    return filters[0] if len(filters) == 1 else _of(OR, *filters)


def matching(attribute: str, value: str | bytes, rule: str = IN_CHAIN, *, in_dn: bool = False) -> Filter:
    """Compares by a named rule."""
    parts = [octets(rule, _PLAIN | 1)] if rule else []
    parts += [octets(attribute, _PLAIN | 2)] if attribute else []
    return _of(EXTENSIBLE, *parts, octets(value, _PLAIN | 3), *([boolean(True, _PLAIN | 4)] if in_dn else []))


def parse(text: str) -> Filter:
    """The condition that a text describes. Raises BadFilter."""
    text = text.strip()
    found, rest = _parse(text if text.startswith("(") else f"({text})", 0)
    if rest:
        raise BadFilter(f"unexpected {rest[:20]!r} behind the end")
    return found


def _of(kind: int, *parts: bytes) -> Filter:
    return Filter(tlv(_CONSTRUCTED | kind, *parts))


def _parse(text: str, depth: int) -> tuple[Filter, str]:
    """The filter at the start of a text, and what follows it."""
    if depth > DEEPEST:
        raise BadFilter("too many parentheses inside each other")
    if not text.startswith("("):
        raise BadFilter(f"a parenthesis is missing before {text[:20]!r}")
    kind = {"&": AND, "|": OR, "!": NOT}.get(text[1:2])
    if kind is None:
        end = text.find(")")
        if end < 0:
            raise BadFilter(f"a parenthesis is missing behind {text[:20]!r}")
        return _item(text[1:end]), text[end + 1 :]
    rest, parts = text[2:].lstrip(), []
    while rest.startswith("("):
        part, rest = _parse(rest, depth + 1)
        parts.append(part)
        rest = rest.lstrip()
    if not rest.startswith(")"):
        raise BadFilter(f"a parenthesis is missing before {rest[:20]!r}")
    if kind == NOT and len(parts) != 1:
        raise BadFilter("! stands before exactly one filter")
    return _of(kind, *parts), rest[1:]


def _item(text: str) -> Filter:
    """One comparison, without its parentheses."""
    found = _ITEM.match(text)
    if found is None:
        raise BadFilter(f"{text[:40]!r} compares nothing")
    left, sign, right = found["left"].strip(), found["sign"], found["right"]
    if left.endswith(":"):
        named = _EXTENSIBLE.match(left)
        if sign != "=" or named is None or not (named["name"] or named["rule"]):
            raise BadFilter(f"{text[:40]!r} names no rule")
        return matching(named["name"], _value(right), named["rule"] or "", in_dn=bool(named["dn"]))
    if not _ATTRIBUTE.match(left):
        raise BadFilter(f"{left[:40]!r} is no attribute")
    if sign == "=" and right == "*":
        return present(left)
    if sign == "=" and "*" in right:
        return _substrings(left, right.split("*"))
    kind = {"=": EQUAL, ">=": GREATER, "<=": LESS, "~=": APPROXIMATE}[sign]
    return _of(kind, octets(left), octets(_value(right)))


def _substrings(attribute: str, pieces: list[str]) -> Filter:
    first, *middle, last = pieces
    parts = [octets(_value(first), _PLAIN)] if first else []
    parts += [octets(_value(piece), _PLAIN | 1) for piece in middle if piece]
    parts += [octets(_value(last), _PLAIN | 2)] if last else []
    if not parts:
        return present(attribute)
    return _of(SUBSTRINGS, octets(attribute), tlv(0x30, *parts))


def _value(text: str) -> bytes:
    def byte(found: re.Match[bytes]) -> bytes:
        if found[1] is None:
            raise BadFilter(f"{text[:40]!r}: a backslash must be followed by two hexadecimal digits")
        return bytes.fromhex(found[1].decode())

    return _ESCAPED.sub(byte, text.encode())
