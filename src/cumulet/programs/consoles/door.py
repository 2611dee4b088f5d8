"""`/console/…`: static pages, and web sockets that end at a machine.

Whoever has a token has the machine's screen, so tokens are short-lived and a web page of another origin cannot use one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cumulet.core.errors import CloudError, Unavailable
from cumulet.core.web.request import Receive, Response, Scope, Send

log = logging.getLogger("cumulet.consoles")

HERE = Path(__file__).parent
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".txt": "text/plain"}
PIECE = 64 * 1024
CHECK_SECONDS = 5.0
MOST_AT_ONCE = 512
MOST_OF_A_MACHINE = 16
"""Sockets that one machine's screens and lines may hold at a time: a tenant cannot use up those of all others."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Resolve = Callable[[str], Awaitable[tuple[str, str, str]]]
"""From a token to (node, kind of tunnel, machine id); raises a CloudError when it is unknown, old or was cut off."""
Tunnel = Callable[..., AbstractAsyncContextManager[Streams]]


class ConsoleDoor:
    """Serves pages to browsers and carries bytes between their web sockets and machines."""

    def __init__(self, resolve: Resolve, tunnel: Tunnel) -> None:
        self._resolve = resolve
        self._tunnel = tunnel
        self._open: Counter[str] = Counter()
        """Sockets by machine."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, mount: str = "") -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await _page(scope["path"][len(mount) :]).send(send, head=scope["method"] == "HEAD")

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get("origin")
        if origin and urlsplit(origin).netloc != headers.get("host"):
            await send({"type": "websocket.close", "code": 4403, "reason": "another origin"})
            return
        token = (parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token") or [""])[0]
        try:
            node, kind, machine = await self._resolve(token)
            async with self._place(machine), self._tunnel(node, kind, machine=machine) as (reader, writer):
                offered = scope.get("subprotocols") or []
                await send({"type": "websocket.accept", "subprotocol": "binary" if "binary" in offered else None})
                await self._carry(token, receive, send, reader, writer)
        except CloudError as error:
            log.info("a console was refused: %s", error.message)
            await send({"type": "websocket.close", "code": 4404, "reason": error.message[:100]})

    @asynccontextmanager
    async def _place(self, machine: str) -> AsyncIterator[None]:
        """One of the sockets that a machine may have. Raises Unavailable when all are taken."""
        if self._open[machine] >= MOST_OF_A_MACHINE or self._open.total() >= MOST_AT_ONCE:
            raise Unavailable("Too many consoles are open. Close one first.")
        self._open[machine] += 1
        try:
            yield
        finally:
            self._open[machine] -= 1
            if not self._open[machine]:
                del self._open[machine]

    async def _carry(
        self, token: str, receive: Receive, send: Send, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        tasks = {
            asyncio.create_task(_from_machine(reader, send)),
            asyncio.create_task(_from_browser(receive, writer)),
            asyncio.create_task(self._until_cut_off(token)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(Exception):  # the browser may be gone already
                await send({"type": "websocket.close", "code": 1000})

    async def _until_cut_off(self, token: str) -> None:
        """Ends when the token leads nowhere any more: its machine was deleted or has moved."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self._resolve(token)
            except CloudError:
                return


async def _from_machine(reader: asyncio.StreamReader, send: Send) -> None:
    while piece := await reader.read(PIECE):
        await send({"type": "websocket.send", "bytes": piece})


async def _from_browser(receive: Receive, writer: asyncio.StreamWriter) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        writer.write(message.get("bytes") or (message.get("text") or "").encode())
        await writer.drain()


def _page(path: str) -> Response:
    """A file of this folder, and of no other."""
    name = {"/vnc": "/vnc.html", "/serial": "/serial.html"}.get(path, path)
    file = (HERE / name.lstrip("/")).resolve()
    if not file.is_relative_to(HERE) or file.suffix not in TYPES or not file.is_file():
        return Response(404, b"There is no such page.", {"content-type": "text/plain"})
    headers = {"content-type": TYPES[file.suffix], "cache-control": "max-age=3600", "x-frame-options": "SAMEORIGIN"}
    return Response(200, headers=headers, stream=_pieces(file))


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(PIECE):
            yield piece
