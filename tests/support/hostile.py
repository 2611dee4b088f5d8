"""Hostile input: values nobody should send, and bodies made of a declaration with one part spoilt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cumulet.core.web.body import NEVER, REQUIRED, Body, Shape
from cumulet.core.web.wire import ListOf, MapOf, Nullable, Obj, OneOf, Wire

DEEP = b"[" * 20_000 + b"]" * 20_000
UUID = "11111111-2222-4333-8444-555555555555"

NASTY: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    -(2**63),
    10**40,
    1e300,
    0.5,
    "",
    " ",
    "x",
    "x" * 70_000,
    "a\x00b",
    "\ud7ff\u2028\U0001f980%$'\"\\",
    "../../etc/passwd",
    "9" * 5000,
    "9" * 30,
    "\u0663",
    "\u00b2",
    '{"a":' + "[" * 30_000,
    "1e999",
    "nan",
    UUID,
    "::/0",
    "2026-11-23T00:00:00",
    "0001-01-01T00:00:00+23:59",
    [],
    [None],
    [[]],
    [{}],
    ["x"] * 2000,
    {},
    {"": ""},
    {"a\x00": {"b": []}},
)
"""For any place in a body."""

RAW: tuple[bytes, ...] = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"0",
    b'"text"',
    b"\xff\xfe\x00",
    b'{"a": "\\ud800"}',
    b'{"\\ud800": 1}',
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": NaN}',
    b'{"a": 1e999999}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": 1, "a": 2}',
    b'{"a":' + DEEP + b"}",
    b"[" * 50_000,
    b'{"x": "' + b"y" * 200_000 + b'"}',
)
"""Whole bodies."""

SPOILT_TEXTS = (b'"\\ud800"', b'"\\u0000"', b'"\xff"', b"9" * 400, b"1e999", b"-0.0", DEEP)
"""Raw JSON for any place in a body that no Python value encodes to."""

QUERIES = (
    "limit=-1",
    "limit=0",
    "limit=x",
    "limit=1&limit=2",
    "limit=" + "9" * 40,
    "limit=" + "9" * 5000,
    "limit=%D9%A3",
    "limit=%C2%B2",
    "limit=",
    "marker=",
    "marker=x",
    f"marker={UUID}",
    "marker=%00",
    "offset=-1",
    "offset=" + "9" * 30,
    "sort_key=x",
    "sort_key=id%3Bdrop",
    "sort_key=id&sort_key=id&sort_dir=up&sort_dir=asc",
    "sort=x:y:z,:,",
    "sort=created_at:desc,id",
    "page=-1",
    "fields=x&fields=id&fields=",
    "changes-since=x",
    "changes-since=9999-99-99",
    "changes-before=0001-01-01T00:00:00%2B23:59",
    "created_at=gt:x",
    "updated_at=in:",
    "name=in:%22",
    "status=in:",
    "id=" + "x" * 3000,
    "all_tenants=perhaps",
    "unheard=of&unheard=of",
    "%ff=%fe",
    "name=%ed%a0%80",
    "=&&;=;%",
    "tags=,&not-tags=%20",
    "metadata={",
    "metadata=%7B%27a%27%3A+1%7D",
    "&".join(f"a{n}=1" for n in range(1200)),
    "&".join(["sort_key=id"] * 900),
    "sort=" + ",".join(["id:asc"] * 900),
)

IDS = (
    UUID,
    "x",
    "%00",
    "x" * 300,
    "..",
    "..%2f..%2fetc",
    "%2e%2e",
    "%ff",
    "%ed%a0%80",
    "a%20b",
    "%25s",
    "0",
    "-1",
    "9" * 30,
    "%C2%B2",
    "☃",
    "detail",
)

PATCHED = (
    "/name",
    "/visibility",
    "/tags",
    "/tags/-",
    "/locations",
    "/id",
    "/x",
    "/x/y",
    "",
    "x",
    "/~2",
    "/\ud7ff",
    "/" + "x" * 300,
)
"""Places for a JSON patch."""

GOOD: tuple[Any, ...] = (
    None, "name", 1, True, {}, [], UUID, "10.1.2.0/24", "10.1.2.3", "fa:16:3e:00:00:01", 4, "ingress", "1", "a" * 32,
    "http://localhost/x", "2030-01-01T00:00:00Z", "/tmp/x", "ssh-rsa AAAA", "nova", [UUID], ["x"], {"a": "b"},
)  # fmt: skip
"""Values of which most fields accept one."""


def accepted(wire: Wire, version: int, known: list[Any]) -> list[Any]:
    """Values that this wire type takes, simple ones first."""
    if isinstance(wire, Obj):
        return [example(wire.shape, version, known)]
    found = []
    for value in (*known, *GOOD, *_composed(wire, version, known)):
        try:
            wire.clean(msgspec.json.decode(msgspec.json.encode(value), type=wire.type_at(version)), version)
        except (ValueError, msgspec.ValidationError):
            continue
        found.append(value)
    return found or [None]


def _composed(wire: Wire, version: int, known: list[Any]) -> Iterator[Any]:
    if isinstance(wire, Nullable):
        yield from accepted(wire.inner, version, known)
    elif isinstance(wire, ListOf):
        yield accepted(wire.inner, version, known)[:1]
    elif isinstance(wire, MapOf):
        yield {"a": accepted(wire.inner, version, known)[0]}
    elif isinstance(wire, OneOf):
        for arm in wire.arms:
            yield from accepted(arm, version, known)


def example(shape: Shape, version: int, known: list[Any], *, whole: bool = False) -> dict[str, Any]:
    """An object of the required fields, or of all."""
    chosen = shape.at(version).fields
    return {f.name: accepted(f.type, version, known)[0] for f, given in chosen if whole or given is REQUIRED}


def bodies(body: Body, version: int, known: list[Any]) -> Iterator[bytes]:
    """Bodies of this declaration with one place spoilt, and some that are good as far as a declaration can tell."""
    wrap = (lambda inner: {body.one: inner}) if body.one else (lambda inner: inner)
    if body.kind is not None:
        for value in (*accepted(body.kind, version, known), *NASTY):
            yield msgspec.json.encode(wrap(value))
        return
    needed = example(body.shape, version, known)
    whole = example(body.shape, version, known, whole=True)
    yield msgspec.json.encode(wrap(needed))
    yield msgspec.json.encode(wrap(whole))
    for value in NASTY:
        yield msgspec.json.encode(wrap(value))
    for field, given in body.shape.at(version).fields:
        if given is NEVER:
            continue
        for value in (*accepted(field.type, version, known), *NASTY):
            yield msgspec.json.encode(wrap({**needed, field.name: value}))
        for text in SPOILT_TEXTS:
            yield msgspec.json.encode(wrap({**needed, field.name: msgspec.Raw(text)}))
