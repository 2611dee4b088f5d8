"""Requests to the servers of distant stores: HTTP/1.1, one connection each, bodies streamed both ways.

The operator named these servers, so they may stand anywhere. What they say is bounded all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from cumulet.drivers.image_store.base import Unreachable
from cumulet.lib.numbers import whole_or_none

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
SILENCE_SECONDS = 60.0
MOST_HEAD = 1 << 16
MOST_SMALL = 8 << 20
"""Bytes of a body that is read whole: a page of a list, an error."""
PIECE = 1 << 18

Body = bytes | AsyncIterator[bytes]


@dataclass
class Answer:
    """The head of an answer; its body is read once, or not at all."""

    status: int
    headers: Mapping[str, str]
    where: str
    reader: asyncio.StreamReader
    bare: bool

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body in pieces of a bounded size. Raises `Unreachable` when it ends too soon."""
        if self.bare:
            return
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            async for piece in self._chunks():
                yield piece
            return
        left = whole_or_none(self.headers.get("content-length", ""))
        while left is None or left > 0:
            piece = await self._some(PIECE if left is None else min(PIECE, left))
            if not piece:
                if left:
                    raise Unreachable(f"{self.where} broke off {left} bytes before the end.")
                return
            if left is not None:
                left -= len(piece)
            yield piece

    async def whole(self) -> bytes:
        """A small body at once."""
        body = bytearray()
        async for piece in self.pieces():
            body += piece
            if len(body) > MOST_SMALL:
                raise Unreachable(f"{self.where} sends more than {MOST_SMALL} bytes where few are due.")
        return bytes(body)

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int((await self._line()).partition(b";")[0] or b"x", 16):
            while size:
                piece = await self._some(min(PIECE, size))
                if not piece:
                    raise Unreachable(f"{self.where} broke off in the middle.")
                size -= len(piece)
                yield piece
            await self._line()

    async def _line(self) -> bytes:
        async with asyncio.timeout(SILENCE_SECONDS):
            return (await self.reader.readuntil(b"\r\n"))[:-2]

    async def _some(self, most: int) -> bytes:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await self.reader.read(most)


class _HungUp(Exception):
    """The server reads no further."""


class _SourceFailed(Exception):
    """Whoever gives the body failed, not the server."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


async def _passed_on(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for piece in body:
            yield piece
    except Exception as error:
        raise _SourceFailed(error) from error


class Server:
    """One base URL."""

    def __init__(self, url: str) -> None:
        self._parts: SplitResult = urlsplit(url)
        self.host = self._parts.netloc.rpartition("@")[2]
        self.path = self._parts.path.rstrip("/")
        self._secure = ssl.create_default_context() if self._parts.scheme == "https" else None

    @contextlib.asynccontextmanager
    async def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: Body | None = None
    ) -> AsyncIterator[Answer]:
        """The answer to one request; `target` begins with a slash and is encoded already. Raises `Unreachable`."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(
                    self._parts.hostname,
                    self._parts.port or (443 if self._secure else 80),
                    ssl=self._secure,
                    limit=MOST_HEAD,
                )
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{self.host} cannot be reached: {error or 'no answer in time'}.") from error
        try:
            with contextlib.suppress(_HungUp):  # it may have answered before the end: that answer tells why
                await self._send(writer, method, target, headers, body)
            yield await self._answer(reader, method)
        except _SourceFailed as failed:
            raise failed.cause from None
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise Unreachable(f"{self.host} cannot be used: {error or type(error).__name__}.") from error
        finally:
            writer.close()

    async def _send(
        self, writer: asyncio.StreamWriter, method: str, target: str, headers: Mapping[str, str], body: Body | None
    ) -> None:
        given = {"Host": self.host, "Connection": "close", "User-Agent": "cumulet", **headers}
        if body is None or isinstance(body, bytes):
            given["Content-Length"] = str(len(body or b""))
        else:
            given["Transfer-Encoding"] = "chunked"
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("ascii"))
        if isinstance(body, bytes):
            await self._write(writer, body)
        elif body is not None:
            async for piece in _passed_on(body):
                if piece:
                    await self._write(writer, b"%x\r\n" % len(piece), piece, b"\r\n")
            await self._write(writer, b"0\r\n\r\n")

    async def _write(self, writer: asyncio.StreamWriter, *pieces: bytes) -> None:
        try:
            writer.writelines(pieces)
            async with asyncio.timeout(SILENCE_SECONDS):
                await writer.drain()
        except ConnectionError as error:
            raise _HungUp from error

    async def _answer(self, reader: asyncio.StreamReader, method: str) -> Answer:
        status = 100
        while status < 200:
            async with asyncio.timeout(ANSWER_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            version, _, rest = first.partition(" ")
            if not version.startswith("HTTP/"):
                raise ValueError("it does not speak HTTP")
            status = int(rest[:3])
        pairs = (line.partition(":") for line in lines if line)
        found = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return Answer(status, found, self.host, reader, bare=method == "HEAD" or status in (204, 304))
