"""The small language of extra specs: an operator, then what is compared with. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

_NUMBERS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.ge,  # means: at least
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s>=": operator.ge,
    "s<=": operator.le,
    "s>": operator.gt,
    "s<": operator.lt,
}
_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})


def compare(value: str, wanted: str) -> bool | None:
    """Whether a value is as wanted; None: `wanted` begins with no operator."""
    word, _, rest = wanted.strip().partition(" ")
    rest = rest.strip()
    if word == "<in>":
        return rest in value
    if word == "<all-in>":
        return all(part in value for part in rest.split())
    if word == "<is>":
        return (value.strip().lower() in _TRUE) == (rest.lower() in _TRUE)
    if word == "<or>":
        return value in [part.strip() for part in rest.split("<or>")]
    if word in _TEXTS:
        return _TEXTS[word](value, rest)
    if word in _NUMBERS:
        try:
            return _NUMBERS[word](float(value), float(rest))
        except ValueError:
            # Words can be the same or not; they have no size.
            return {"==": value == rest, "!=": value != rest}.get(word, False)
    return None
