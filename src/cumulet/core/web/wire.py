"""The types that cross the wire: every text is bounded, every number has a range; no bare `str` or `int`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cumulet.lib.ids import is_uuid

if TYPE_CHECKING:
    from cumulet.core.web.body import Field

Look = Callable[[Any], Any]


class Wire:
    """A type of value: what its JSON looks like, and a second look that converts it or raises ValueError."""

    def __init__(self, json: Any, look: Look | None = None) -> None:
        self.json = json
        self.look = look

    def type_at(self, version: int) -> Any:
        """The type for the JSON decoder at a microversion."""
        return self.json

    def clean(self, value: Any, version: int) -> Any:
        """The value as operations want it."""
        return self.look(value) if self.look else value

    def or_null(self) -> Wire:
        return Nullable(self)

    def also(self, look: Look) -> Wire:
        """The same type with one more look."""
        return Checked(self, look)


class Nullable(Wire):
    """A type or null."""

    def __init__(self, inner: Wire) -> None:
        super().__init__(None)
        self.inner = inner

    def type_at(self, version: int) -> Any:
        return self.inner.type_at(version) | None

    def clean(self, value: Any, version: int) -> Any:
        return None if value is None else self.inner.clean(value, version)


class Checked(Wire):
    """A type with one more look at its clean value."""

    def __init__(self, inner: Wire, second: Look) -> None:
        super().__init__(None)
        self.inner = inner
        self.second = second

    def type_at(self, version: int) -> Any:
        return self.inner.type_at(version)

    def clean(self, value: Any, version: int) -> Any:
        return self.second(self.inner.clean(value, version))


class ListOf(Wire):
    """A bounded list."""

    def __init__(self, inner: Wire, *, most: int = 1000, least: int = 0, unique: bool = False) -> None:
        super().__init__(None)
        self.inner = inner
        self.most = most
        self.least = least
        self.unique = unique

    def type_at(self, version: int) -> Any:
        return Annotated[list[self.inner.type_at(version)], msgspec.Meta(min_length=self.least, max_length=self.most)]  # type: ignore[misc]

    def clean(self, value: Any, version: int) -> Any:
        items = [self.inner.clean(item, version) for item in value]
        if self.unique and any(item in items[:place] for place, item in enumerate(items)):
            raise ValueError("holds the same element twice")
        return items


class MapOf(Wire):
    """An object with any keys of a form and values of one type."""

    def __init__(self, inner: Wire, *, most: int = 1000, key: str = r"^[^\x00]{1,255}$", least: int = 0) -> None:
        super().__init__(None)
        self.inner = inner
        self.most = most
        self.least = least
        self.key = re.compile(key, re.DOTALL)

    def type_at(self, version: int) -> Any:
        return Annotated[
            dict[str, self.inner.type_at(version)],  # type: ignore[misc]
            msgspec.Meta(min_length=self.least, max_length=self.most),
        ]

    def clean(self, value: Any, version: int) -> Any:
        for key in value:
            if not self.key.match(key):
                raise ValueError(f"the key {key[:60]!r} is not allowed; keys match {self.key.pattern}")
        return {key: self.inner.clean(item, version) for key, item in value.items()}


class Obj(Wire):
    """An object with declared fields, which may have windows of their own."""

    def __init__(self, *fields: Field, extra: bool = False) -> None:
        from cumulet.core.web.body import Shape

        super().__init__(None)
        self.shape = Shape(fields, extra=extra)

    def type_at(self, version: int) -> Any:
        return self.shape.at(version).struct

    def clean(self, value: Any, version: int) -> Any:
        return self.shape.at(version).clean(value)


class OneOf(Wire):
    """A value whose type shows only in its JSON kind: text, number, list, object. At most one of each."""

    def __init__(self, *arms: Wire) -> None:
        super().__init__(None)
        self.arms = arms

    def type_at(self, version: int) -> Any:
        union = self.arms[0].type_at(version)
        for arm in self.arms[1:]:
            union = union | arm.type_at(version)
        return union

    def clean(self, value: Any, version: int) -> Any:
        for arm in self.arms:
            try:
                msgspec.convert(value, arm.type_at(version))
            except msgspec.ValidationError:
                continue
            return arm.clean(value, version)
        return value


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character, which no name or text may hold")
    return text


def Text(most: int = 255, least: int = 0, pattern: str = "") -> Wire:
    """Text of bounded length, without NUL."""
    meta = msgspec.Meta(min_length=least, max_length=most, pattern=pattern or None)
    return Wire(Annotated[str, meta], _no_nul)


def Enum(*words: str, ignore_case: bool = False) -> Wire:
    """One of a few words."""

    def look(value: str) -> str:
        found = value.upper() if ignore_case else value
        for word in words:
            if found == (word.upper() if ignore_case else word):
                return word
        raise ValueError(f"{value[:60]!r} is not one of {', '.join(words)}")

    return Wire(str, look)


_TRUE = {"true", "1", "on", "yes", "t", "y"}
_FALSE = {"false", "0", "off", "no", "f", "n"}


def parse_bool(value: Any) -> bool:
    """A boolean from what the real services accept as one. Raises ValueError."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{str(value)[:60]!r} is not a boolean; use true or false")


def _int_within(least: int, most: int) -> Look:
    def look(value: Any) -> int:
        if isinstance(value, str):
            if not re.fullmatch(r"-?[0-9]{1,20}", value):
                raise ValueError(f"{value[:60]!r} is not an integer")
            value = int(value)
        if not least <= value <= most:
            raise ValueError(f"{value} is not between {least} and {most}")
        return int(value)

    return look


def Int(least: int = -(2**31), most: int = 2**31 - 1) -> Wire:
    """An integer in a range, also written as text."""
    return Wire(int | Annotated[str, msgspec.Meta(max_length=255)], _int_within(least, most))


def StrictInt(least: int = -(2**63), most: int = 2**63 - 1) -> Wire:
    """An integer in a range, never text."""
    return Wire(int, _int_within(least, most))


def Float(least: float = float("-inf"), most: float = float("inf")) -> Wire:
    """A number in a range, also written as text."""

    def look(value: Any) -> float:
        try:
            number = float(value)
        except OverflowError as error:
            raise ValueError("the number is too large") from error
        if not least <= number <= most:
            raise ValueError(f"{value} is not between {least} and {most}")
        return number

    return Wire(int | float | Annotated[str, msgspec.Meta(max_length=40)], look)


Bool = Wire(bool | int | Annotated[str, msgspec.Meta(max_length=255)], parse_bool)
"""A boolean, also written as the texts and numbers that the real services take for one."""
StrictBool = Wire(bool)
Anything = Wire(Any)
AnyObject = Wire(dict[str, Any])


def _uuid(value: str) -> str:
    if not is_uuid(value):
        raise ValueError(f"{value[:60]!r} is not a UUID")
    return value


def _cidr(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError as error:
        raise ValueError(f"{value[:60]!r} is not a valid IP subnet") from error


def _ip(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise ValueError(f"{value[:60]!r} is not a valid IP address") from error


_MAC = re.compile(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}\Z")


def _mac(value: str) -> str:
    if not _MAC.match(value):
        raise ValueError(f"{value[:60]!r} is not a valid MAC address")
    return value.lower().replace("-", ":")


def _printable(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty or only spaces")
    if value != value.strip():
        raise ValueError("must not begin or end with a space")
    if not all(character.isprintable() for character in value):
        raise ValueError("holds a character that cannot be printed")
    return value


Uuid = Wire(Annotated[str, msgspec.Meta(max_length=64)], _uuid)
Cidr = Wire(Annotated[str, msgspec.Meta(max_length=64)], _cidr)
Ip = Wire(Annotated[str, msgspec.Meta(max_length=64)], _ip)
Mac = Wire(Annotated[str, msgspec.Meta(max_length=32)], _mac)
Name = Text(255, 1).also(_printable)
"""A name as compute wants it: printable, without spaces at its ends."""
Metadata = MapOf(Text(255), key=r"^[a-zA-Z0-9\-_:. ]{1,255}$", most=128)


def ids(values: Sequence[Any]) -> list[str]:
    """The texts of a list, for columns that hold ids."""
    return [str(value) for value in values]
