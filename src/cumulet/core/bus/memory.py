"""Wake-ups inside one process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

Listener = Callable[[str], None]


class Bus(Protocol):
    """Tells whoever watches a topic to look at a key again."""

    def wake(self, topic: str, key: str) -> None: ...

    def listen(self, topic: str, listener: Listener) -> None:
        """Call `listener` with each key woken from now on. It must return at once."""
        ...


class MemoryBus:
    """A table of listeners; the whole bus of a cloud of one process."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = defaultdict(list)

    def wake(self, topic: str, key: str) -> None:
        for listener in self._listeners[topic]:
            listener(key)

    def listen(self, topic: str, listener: Listener) -> None:
        self._listeners[topic].append(listener)
