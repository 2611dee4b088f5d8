"""What was found valid, until anything changes that tokens depend on."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def digest(text: str) -> bytes:
    """By what a token is remembered: whoever reads our memory or logs finds no token there."""
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()


class Generation:
    """Counts changes of what tokens depend on. What was read in an older generation is not believed any more."""

    def __init__(self) -> None:
        self.number = 0

    def renew(self) -> None:
        self.number += 1


class Cache(Generic[T]):
    """A bounded table of what was found in this generation; the least recently used goes first."""

    def __init__(self, generation: Generation, most: int) -> None:
        self._generation = generation
        self._most = most
        self._entries: OrderedDict[Hashable, tuple[int, T]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        entry = self._entries.get(key)
        if entry is None or entry[0] != self._generation.number:
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: Hashable, value: T, generation: int) -> None:
        """Remember what was read when the generation had this number."""
        self._entries[key] = (generation, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)


class Kept:
    """Small tables that every token needs, such as the roles: read once in each generation."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._found: dict[str, tuple[int, Any]] = {}

    async def get(self, name: str, read: Callable[[], Awaitable[T]]) -> T:
        entry = self._found.get(name)
        if entry is None or entry[0] != self._generation.number:
            number = self._generation.number  # before reading: a change in the meantime makes it old at once
            entry = self._found[name] = (number, await read())
        value: T = entry[1]
        return value
