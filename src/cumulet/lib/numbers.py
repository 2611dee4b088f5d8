"""Numbers as texts: decimal digits of ASCII, never so many that reading them is work, and small enough to be kept."""

from __future__ import annotations

import re

MOST = 2**63 - 1
"""The largest number that every database keeps."""
MOST_DIGITS = len(str(MOST))
_WHOLE = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}\Z")


def whole(text: str) -> int:
    """A whole number that is not negative. Raises ValueError."""
    if not _WHOLE.match(text) or int(text) > MOST:
        raise ValueError(f"{text[:40]!r} is not a whole number")
    return int(text)


def whole_or_none(text: str) -> int | None:
    """The same of what others say, where what is no number says nothing."""
    try:
        return whole(text)
    except ValueError:
        return None
