"""Killing a process at any of its seams, without letting it tidy up.

Everything through which a process touches the world is wrapped. When its time has come the process turns to stone: from
that instant each of its seams raises `Killed`, so that no `finally` can change anything any more. A new process is then
made over the same world.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from cumulet.core.bus import Bus
from cumulet.core.db.engine import Backend, Connection


class Killed(BaseException):
    """The process does not exist any more."""


class Stone:
    """One process's life: it ends at its `last`-th touch of the world; 0: it lives."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self.touches = 0
        self.dead = False
        self.on_death: Callable[[], None] = lambda: None

    def touch(self) -> None:
        """Called at each seam, before and after what happens there."""
        if self.dead:
            raise Killed
        self.touches += 1
        if self.touches == self.last:
            self.kill()
            raise Killed

    def kill(self) -> None:
        """Die now, wherever the process is."""
        if not self.dead:
            self.dead = True
            self.on_death()


class MortalBackend:
    """A database session of a process that may die before, between and after its statements and commits."""

    def __init__(self, backend: Backend, stone: Stone) -> None:
        self._backend = backend
        self._stone = stone
        self.dialect = backend.dialect

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        self._stone.touch()
        async with self._backend.reading() as connection:
            yield _MortalConnection(connection, self._stone)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        self._stone.touch()
        async with self._backend.writing() as connection:
            yield _MortalConnection(connection, self._stone)
            self._stone.touch()  # dying here, the database undoes the transaction
        self._stone.touch()  # dying here, the commit has happened and nobody hears of it

    async def close(self) -> None:
        await self._backend.close()


class _MortalConnection:
    def __init__(self, connection: Connection, stone: Stone) -> None:
        self._connection = connection
        self._stone = stone

    async def fetch(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        self._stone.touch()
        return await self._connection.fetch(text, values)

    async def execute(self, text: str, values: Sequence[Any]) -> int:
        self._stone.touch()
        return await self._connection.execute(text, values)

    async def execute_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        self._stone.touch()
        await self._connection.execute_many(text, rows)


class Mortal:
    """Any other part of the world: each call of a coroutine method may be the last, before or after its effect."""

    def __init__(self, inner: Any, stone: Stone) -> None:
        self._inner = inner
        self._stone = stone

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found
        stone = self._stone

        def call(*args: Any, **kwargs: Any) -> Any:
            stone.touch()
            result = found(*args, **kwargs)
            if not hasattr(result, "__await__"):
                return result

            async def finish() -> Any:
                value = await result
                stone.touch()
                return value

            return finish()

        return call


class FlakyBus:
    """Loses some wake-ups and doubles others; dead processes wake nobody."""

    def __init__(self, bus: Bus, stone: Stone, random: Callable[[], float], loses: float, doubles: float) -> None:
        self._bus = bus
        self._stone = stone
        self._random = random
        self._loses, self._doubles = loses, doubles

    def wake(self, topic: str, key: str) -> None:
        self._stone.touch()
        chance = self._random()
        if chance < self._loses:
            return
        self._bus.wake(topic, key)
        if chance > 1 - self._doubles:
            self._bus.wake(topic, key)

    def listen(self, topic: str, listener: Callable[[str], None]) -> None:
        self._bus.listen(topic, listener)
