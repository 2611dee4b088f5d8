"""Whoever may open connections may not open all of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cumulet.lib.clock import SystemClock
from cumulet.node.asks import MOST_AT_ONCE, AskServer
from cumulet.programs.consoles.door import MOST_OF_A_MACHINE, ConsoleDoor, Streams
from tests.support.patience import HANG_SECONDS


async def test_a_node_closes_connections_beyond_its_bound_at_once(tmp_path: Path) -> None:
    place = tmp_path / "asks.sock"
    serving = asyncio.create_task(AskServer(f"unix:{place}", "key", SystemClock(), {}, {}).run())
    try:
        async with asyncio.timeout(HANG_SECONDS):
            while not place.exists():  # noqa: ASYNC110 - a server that listens says so nowhere else
                await asyncio.sleep(0)
            silent = [await asyncio.open_unix_connection(place) for _ in range(MOST_AT_ONCE)]
            reader, writer = await asyncio.open_unix_connection(place)
            assert await reader.read() == b""
            writer.close()
            silent[0][1].write(b"no question\n")
            assert b"403" in await silent[0][0].readline()
            for _, one in silent:
                one.close()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


class _Browser:
    """A web socket that stays open until it is told to go."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.answered = asyncio.Event()
        self.gone = asyncio.Event()
        self._first = True

    async def receive(self) -> MutableMapping[str, Any]:
        if self._first:
            self._first = False
            return {"type": "websocket.connect"}
        await self.gone.wait()
        return {"type": "websocket.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.said.append(message["type"])
        self.answered.set()


async def test_a_machine_has_so_many_consoles_and_a_closed_one_makes_room() -> None:
    async def resolve(token: str) -> tuple[str, str, str]:
        return "node", "vnc", token

    @asynccontextmanager
    async def tunnel(node: str, kind: str, *, machine: str) -> AsyncIterator[Streams]:
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            try:
                yield reader, writer
            finally:
                writer.close()

    door = ConsoleDoor(resolve, tunnel)
    tasks: list[asyncio.Task[None]] = []

    async def open_one(machine: str) -> _Browser:
        browser = _Browser()
        scope = {"type": "websocket", "headers": [], "query_string": f"token={machine}".encode()}
        tasks.append(asyncio.create_task(door(scope, browser.receive, browser.send)))
        await browser.answered.wait()
        return browser

    async with asyncio.timeout(HANG_SECONDS):
        browsers = [await open_one("a") for _ in range(MOST_OF_A_MACHINE)]
        assert {browser.said[0] for browser in browsers} == {"websocket.accept"}
        assert (await open_one("a")).said == ["websocket.close"]
        other = await open_one("b")
        assert other.said[0] == "websocket.accept"
        browsers[0].gone.set()
        await tasks[0]
        again = await open_one("a")
        assert again.said[0] == "websocket.accept"
        for browser in [*browsers, other, again]:
            browser.gone.set()
        await asyncio.gather(*tasks)
