"""Filters that the real service takes as regular expressions. People send a part, an anchor, or a few wildcards."""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 255
"""No name is longer; reading a pattern costs time that grows with its square."""
ESCAPE = "~"


class Pattern(NamedTuple):
    """A pattern in the words of SQL's LIKE, without what stands at its ends."""

    start: bool
    """It holds from the text's beginning."""
    middle: str
    end: bool

    @property
    def like(self) -> str:
        return f"{'' if self.start else '%'}{self.middle}{'' if self.end else '%'}"


def read_pattern(pattern: str) -> Pattern:
    """Raises ValueError."""
    if len(pattern) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} characters")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern[:60]!r} is not a valid expression") from error
    text = pattern
    start, end = text.startswith("^"), text.endswith("$") and not text.endswith("\\$")
    text = text.removeprefix("^").removesuffix("$") if end else text.removeprefix("^")
    text = text.replace("\\.", "\0")
    text = text.replace("~", "~~").replace("%", "~%").replace("_", "~_").replace(".*", "%").replace(".+", "_%")
    text = re.sub(r"\[[^\]]*\][+*]", "%", text)
    text = re.sub(r"\[[^\]]*\]", "_", text)
    return Pattern(start, text.replace("\0", ".").replace("\\", ""), end)
