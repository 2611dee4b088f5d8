"""Identifiers: how they are made and recognised."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_DASHED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)
_PLAIN = re.compile(r"[0-9a-f]{32}\Z", re.IGNORECASE)


_bits: Callable[[int], int] = secrets.randbits


def _random() -> uuid.UUID:
    return uuid.UUID(int=_bits(128), version=4)


def new_uuid() -> str:
    """A random id with dashes, as most services use."""
    return str(_random())


def new_hex() -> str:
    """A random id without dashes, as identity uses."""
    return _random().hex


def request_id() -> str:
    return f"req-{_random()}"


@contextmanager
def drawn_from(bits: Callable[[int], int]) -> Iterator[None]:
    """Ids from another source for a while: a simulated world draws them from its seed, so that it can be run again."""
    global _bits
    before, _bits = _bits, bits
    try:
        yield
    finally:
        _bits = before


def is_uuid(text: str) -> bool:
    """With dashes or without."""
    return bool(_DASHED.match(text) or _PLAIN.match(text))
