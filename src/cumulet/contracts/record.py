"""The base of every record in this package."""

from __future__ import annotations

import hashlib

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An immutable value that is written as JSON; unknown fields are ignored, so that old and new nodes can talk."""


def digest_of(record: Record) -> str:
    """The identity of a record's content: equal records have equal digests, in every process and version of Python."""
    return hashlib.sha256(msgspec.json.encode(record, order="deterministic")).hexdigest()[:32]
