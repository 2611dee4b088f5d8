"""What is said in LDAP: questions as bytes, answers from bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cumulet.drivers.directory.base import Entry, Filter, Scope
from cumulet.drivers.directory.ldap.ber import (
    ENUMERATED,
    INTEGER,
    OCTETS,
    SEQUENCE,
    SET,
    Reader,
    boolean,
    integer,
    number,
    octets,
    tlv,
)
from cumulet.drivers.directory.ldap.filters import GUIDS

UNBIND, BIND_DONE, ENTRY, SEARCH_DONE, REFERENCE, EXTENDED_DONE = 0x42, 0x61, 0x64, 0x65, 0x73, 0x78
_BIND, _SEARCH, _EXTENDED, _CONTROLS, _PASSWORD, _REFERRAL, _NAME = 0x60, 0x63, 0x77, 0xA0, 0x80, 0xA3, 0x80
_PAGED = "1.2.840.113556.1.4.319"
_START_TLS = "1.3.6.1.4.1.1466.20037"

SUCCESS, TIME_LIMIT, SIZE_LIMIT, REFERRAL, NO_SUCH_OBJECT = 0, 3, 4, 10, 32
REFUSALS = frozenset({19, 48, 49, 50, 53})
"""Results of a bind that mean: not with this password, or not this entry."""


@dataclass(frozen=True, slots=True)
class Message:
    """One answer: to which question, of what kind, and the mark of the next page if it carries one."""

    number: int
    kind: int
    body: bytes
    cookie: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """How a question ended."""

    code: int
    text: str
    referrals: tuple[str, ...]


def message(number_: int, operation: bytes, controls: bytes = b"") -> bytes:
    return tlv(SEQUENCE, integer(number_), operation, tlv(_CONTROLS, controls) if controls else b"")


def bind(dn: str, password: str) -> bytes:
    return tlv(_BIND, integer(3), octets(dn), octets(password, _PASSWORD))


def unbind() -> bytes:
    return tlv(UNBIND)


def start_tls() -> bytes:
    return tlv(_EXTENDED, octets(_START_TLS, _NAME))


def search(base: str, scope: Scope, wanted: Filter, attributes: Sequence[str], *, aliases: int, seconds: int) -> bytes:
    """`aliases`: 0 never to 3 always follow them. The directory itself is asked to stop after `seconds`."""
    return tlv(
        _SEARCH,
        octets(base),
        integer(scope, ENUMERATED),
        integer(aliases, ENUMERATED),
        integer(0),
        integer(seconds),
        boolean(False),
        wanted,
        tlv(SEQUENCE, *map(octets, attributes)),
    )


def paged(size: int, cookie: bytes) -> bytes:
    """The control that asks for one page."""
    value = tlv(SEQUENCE, integer(size), octets(cookie))
    return tlv(SEQUENCE, octets(_PAGED), boolean(True), octets(value))


def read_message(raw: bytes) -> Message:
    """From the inside of the outermost element. Raises Malformed."""
    reader = Reader(raw)
    number_ = number(reader.take(INTEGER))
    kind, body = reader.next()
    cookie = b""
    if reader:
        controls = Reader(reader.take(_CONTROLS))
        while controls:
            cookie = _cookie(Reader(controls.take(SEQUENCE))) or cookie
    return Message(number_, kind, body, cookie)


def _cookie(control: Reader) -> bytes:
    if control.take(OCTETS) != _PAGED.encode():
        return b""
    value = b""
    while control:
        tag, found = control.next()
        value = found if tag == OCTETS else value
    page = Reader(Reader(value).take(SEQUENCE))
    page.take(INTEGER)
    return page.take(OCTETS)


def read_result(body: bytes) -> Result:
    reader = Reader(body)
    code = number(reader.take(ENUMERATED))
    reader.take(OCTETS)
    text = reader.take(OCTETS).decode(errors="replace")
    referrals: tuple[str, ...] = ()
    while reader:
        tag, value = reader.next()
        if tag == _REFERRAL:
            referrals = read_reference(value)
    return Result(code, text, referrals)


def read_reference(body: bytes) -> tuple[str, ...]:
    """The addresses at which a search may be continued."""
    reader, found = Reader(body), []
    while reader:
        found.append(reader.take(OCTETS).decode(errors="replace"))
    return tuple(found)


def read_entry(body: bytes) -> Entry:
    reader = Reader(body)
    dn = _text(reader.take(OCTETS))
    attributes: dict[str, Sequence[str]] = {}
    listed = Reader(reader.take(SEQUENCE))
    while listed:
        attribute = Reader(listed.take(SEQUENCE))
        name, values, found = attribute.take(OCTETS), Reader(attribute.take(SET)), []
        text = name.decode(errors="replace").lower()
        while values:
            found.append(_text(values.take(OCTETS), text))
        attributes[text] = found
    return Entry(dn, attributes)


def _text(value: bytes, attribute: str = "") -> str:
    """Text as it is, GUIDs as such, and what else is no text in hexadecimal."""
    if attribute in GUIDS and len(value) == 16:
        return str(UUID(bytes_le=value))
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()
