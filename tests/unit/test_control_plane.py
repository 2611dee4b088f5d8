"""The way home: what is not a control plane's answer is silence, which a node bears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from cumulet.node.control_plane import ControlPlaneSilent, HttpControlPlane

Question = Callable[[HttpControlPlane], Awaitable[object]]


@asynccontextmanager
async def somebody(answer: bytes) -> AsyncIterator[HttpControlPlane]:
    """The way to something that answers all requests alike."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        yield HttpControlPlane(f"http://127.0.0.1:{port}", "one", "secret")


QUESTIONS: dict[str, Question] = {
    "orders": lambda home: home.assignments(0, 0, 0),
    "a key": lambda home: home.volume_key("v"),
    "luggage": lambda home: home.luggage("m"),
}


@pytest.mark.parametrize(
    ("question", "text"),
    [
        *((name, text) for name in QUESTIONS for text in (b"<html>welcome</html>", b"[]", b"")),
        ("orders", b'{"changes": "many"}'),
        ("a key", b'{"key": "\xff"}'),
        ("a key", b"{}"),
    ],
)
async def test_a_strangers_page_is_silence(question: str, text: bytes) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
    async with somebody(page) as home:
        with pytest.raises(ControlPlaneSilent, match="not from a control plane"):
            await QUESTIONS[question](home)


async def test_a_refusal_that_breaks_off_is_one() -> None:
    async with somebody(b"HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\nzz") as home:
        with pytest.raises(ControlPlaneSilent, match="answered 502"):
            await home.assignments(0, 0, 0)
