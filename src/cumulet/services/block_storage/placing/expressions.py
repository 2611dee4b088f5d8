"""What operators write about pools: `volume.size < 10 and stats.free_capacity_gb > 100`. Pure, and of bounded work.

Numbers, texts in quotes and `NAME.KEY`; `+ - * / ^`, comparisons, `and or not` (or `& | !`), `A ? B : C`, and the
functions `abs`, `max`, `min`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

LONGEST = 1000
_LARGEST_POWER = 64
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?)|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)|(?P<sign><=|>=|==|!=|<>|&&|\|\||[-+*/^<>&|!?:(),]))"
)

Known = Mapping[str, Mapping[str, Any]]
Value = Callable[[Known], Any]


class BadExpression(ValueError):
    """It cannot be read, or has no value here; the message says where or why."""


def value_of(text: str, known: Known) -> Any:
    """Raises BadExpression."""
    try:
        return _compiled(text)(known)
    except RecursionError as error:
        raise BadExpression("it is nested too deeply") from error
    except (TypeError, ZeroDivisionError, OverflowError) as error:
        raise BadExpression(str(error)) from error


def check(text: str) -> None:
    """Raise BadExpression for what no pool could have a value of."""
    _compiled(text)


@lru_cache(maxsize=256)
def _compiled(text: str) -> Value:
    if len(text) > LONGEST:
        raise BadExpression(f"it is longer than {LONGEST} characters")
    reader = _Reader(_tokens(text))
    try:
        value = reader.choice()
    except RecursionError as error:
        raise BadExpression("it is nested too deeply") from error
    reader.end()
    return value


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place, text = [], 0, text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise BadExpression(f"{text[place : place + 20]!r} cannot be read")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    return found


_COMPARISONS = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
}
_SUMS = {"+": operator.add, "-": operator.sub}
_PRODUCTS = {"*": operator.mul, "/": operator.truediv}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {"abs": abs, "max": max, "min": min}


class _Reader:
    """Reads by descending: each method one step of precedence, the loosest first."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._place = 0

    def choice(self) -> Value:
        condition = self._either()
        if self._take("?"):
            yes = self.choice()
            self._need(":")
            no, test = self.choice(), condition
            condition = lambda known: yes(known) if test(known) else no(known)  # noqa: E731
        return condition

    def end(self) -> None:
        if self._place < len(self._tokens):
            raise BadExpression(f"{self._tokens[self._place][1]!r} is one word too many")

    def _either(self) -> Value:
        value = self._both()
        while self._take("or", "|", "||"):
            value = _or(value, self._both())
        return value

    def _both(self) -> Value:
        value = self._negated()
        while self._take("and", "&", "&&"):
            value = _and(value, self._negated())
        return value

    def _negated(self) -> Value:
        if self._take("not", "!"):
            value = self._negated()
            return lambda known: not value(known)
        return self._comparison()

    def _comparison(self) -> Value:
        value = self._sum()
        while word := self._take(*_COMPARISONS):
            value = _two(_COMPARISONS[word], value, self._sum())
        return value

    def _sum(self) -> Value:
        value = self._product()
        while word := self._take(*_SUMS):
            value = _two(_numeric(_SUMS[word]), value, self._product())
        return value

    def _product(self) -> Value:
        value = self._signed()
        while word := self._take(*_PRODUCTS):
            value = _two(_numeric(_PRODUCTS[word]), value, self._signed())
        return value

    def _signed(self) -> Value:
        if self._take("-"):
            value = self._signed()
            return lambda known: -value(known)
        self._take("+")
        base = self._one()
        return _two(_power, base, self._signed()) if self._take("^") else base

    def _one(self) -> Value:
        if self._place >= len(self._tokens):
            raise BadExpression("it ends too early")
        kind, word = self._tokens[self._place]
        self._place += 1
        if kind == "number":
            number = float(word) if not word.isdigit() else int(word)
            return lambda known: number
        if kind == "text":
            return lambda known: word[1:-1]
        if word == "(":
            value = self.choice()
            self._need(")")
            return value
        if word in _FUNCTIONS:
            return self._call(_FUNCTIONS[word])
        if kind == "name" and "." in word:
            return lambda known: _looked_up(word, known)
        raise BadExpression(f"{word!r} stands for nothing; write volume.size or the like")

    def _call(self, function: Callable[..., Any]) -> Value:
        self._need("(")
        values = [self.choice()]
        while self._take(","):
            values.append(self.choice())
        self._need(")")
        if function is not abs and len(values) == 1:
            return values[0]
        return lambda known: function(*(value(known) for value in values))

    def _take(self, *words: str) -> str:
        if self._place < len(self._tokens):
            kind, word = self._tokens[self._place]
            if kind in ("sign", "name") and word in words:
                self._place += 1
                return word
        return ""

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise BadExpression(f"{word!r} is missing")


def _or(left: Value, right: Value) -> Value:
    return lambda known: left(known) or right(known)


def _and(left: Value, right: Value) -> Value:
    return lambda known: left(known) and right(known)


def _two(apply: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    return lambda known: apply(left(known), right(known))


def _numeric(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Texts are not summed up, nor repeated."""

    def applied(left: Any, right: Any) -> Any:
        if isinstance(left, str) or isinstance(right, str):
            raise BadExpression(f"{left!r} and {right!r} are not both numbers")
        return apply(left, right)

    return applied


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, str) or isinstance(exponent, str) or abs(exponent) > _LARGEST_POWER:
        raise BadExpression(f"{base!r} cannot be raised to {exponent!r}")
    found = float(base) ** exponent
    if isinstance(found, complex):
        raise BadExpression(f"{base!r} has no root of the degree that {exponent!r} asks for")
    return found


def _looked_up(name: str, known: Known) -> Any:
    """A number where it reads as one: what people write in extra specs is text."""
    first, _, key = name.partition(".")
    found = known.get(first, {}).get(key)
    if found is None:
        raise BadExpression(f"there is no {name}")
    if isinstance(found, str):
        try:
            return float(found)
        except ValueError:
            return found
    return found
