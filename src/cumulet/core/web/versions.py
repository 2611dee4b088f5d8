"""Microversions, as numbers that compare."""

from __future__ import annotations

import re
from functools import cache, lru_cache

_FORM = re.compile(r"([1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,3})\Z")
_MINORS = 100_000

EARLIEST = 0
LATEST = 10**9
"""Windows without an end reach to here."""


@lru_cache(maxsize=4096)  # clients choose the text; a bound keeps them from filling the memory with it
def version(text: str) -> int:
    """`2.53` as a number. Raises ValueError."""
    form = _FORM.match(text)
    if not form:
        raise ValueError(f"{text!r} is no version; a version looks like 2.53")
    return int(form[1]) * _MINORS + int(form[2])


def text_of(number: int) -> str:
    """The version as it is written."""
    return f"{number // _MINORS}.{number % _MINORS}"


@cache
def window(since: str, until: str) -> range:
    """The versions from `since` to `until`, both included; empty text leaves a side open."""
    return range(version(since) if since else EARLIEST, (version(until) if until else LATEST) + 1)
