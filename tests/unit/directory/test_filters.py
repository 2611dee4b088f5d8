"""Conditions in LDAP: the text form, and values that cannot break out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.drivers.directory.ldap import filters
from cumulet.drivers.directory.ldap.ber import (
    BOOLEAN,
    INTEGER,
    Malformed,
    Reader,
    boolean,
    integer,
    number,
    octets,
    tlv,
)
from cumulet.drivers.directory.ldap.filters import BadFilter, equal, every, matching, parse, present


def escaped(value: str) -> str:
    """As RFC 4515 has it."""
    return "".join(f"\\{byte:02x}" for byte in value.encode())


@given(st.text())
def test_a_value_stays_a_value(value: str) -> None:
    assert parse(f"(uid={escaped(value)})") == equal("uid", value)
    (tag, body), *_ = [Reader(equal("uid", value)).next()]
    reader = Reader(body)
    assert (tag, reader.take(4), reader.take(4), bool(reader)) == (0xA3, b"uid", value.encode(), False)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("uid=a", "(uid=a)"),
        ("(uid=*)", present("uid")),
        ("(& (uid=a) (cn=b) )", every(equal("uid", "a"), equal("cn", "b"))),
        ("(&(uid=a))", tlv(0xA0, equal("uid", "a"))),
        ("(member:1.2.840.113556.1.4.1941:=cn=a,dc=b)", matching("member", "cn=a,dc=b")),
        ("(cn:dn:=x)", matching("cn", "x", "", in_dn=True)),
        ("(cn=a=b)", equal("cn", "a=b")),
        ("(!(enabled=FALSE))", tlv(0xA2, equal("enabled", "FALSE"))),
        ("(cn=a*b*c)", tlv(0xA4, octets("cn"), tlv(0x30, octets("a", 0x80), octets("b", 0x81), octets("c", 0x82)))),
        ("(n>=5)", tlv(0xA5, octets("n"), octets("5"))),
        ("(n<=5)", tlv(0xA6, octets("n"), octets("5"))),
        ("(n~=5)", tlv(0xA8, octets("n"), octets("5"))),
    ],
)
def test_the_text_form(text: str, same: str | bytes) -> None:
    assert parse(text) == (parse(same) if isinstance(same, str) else same)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "()",
        "(",
        "(uid)",
        "(uid=a",
        "(uid=a))",
        "(&(uid=a)",
        "(!(a=b)(c=d))",
        "(a b=c)",
        "(uid=\\2)",
        "(:=x)",
        "(" * 99,
    ],
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(BadFilter):
        parse(text)


def test_a_guid_is_compared_as_its_bytes() -> None:
    guid = "ccddeeff-aabb-8899-7766-554433221100"
    assert equal("objectGUID", guid) == filters.Filter(
        tlv(0xA3, octets("objectGUID"), octets(bytes.fromhex("ffeeddccbbaa99887766554433221100")))
    )


@given(st.integers(-(2**63), 2**63))
def test_numbers(value: int) -> None:
    assert number(Reader(integer(value)).take(INTEGER)) == value


@given(st.binary(max_size=70_000))
def test_lengths(value: bytes) -> None:
    reader = Reader(octets(value) + boolean(True))
    assert (reader.take(4), reader.take(BOOLEAN), bool(reader)) == (value, b"\xff", False)


@given(st.binary(max_size=40))
def test_garbage_is_refused_or_read_within_its_bounds(data: bytes) -> None:
    reader, read = Reader(data), 0
    try:
        while reader:
            read += len(reader.next()[1])
    except Malformed:
        pass
    assert read <= len(data)
