"""HTTP/1.1 with one guest, as little of it as metadata clients use, and every part of it bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import httptools

_HEADER_BYTES = 16 << 10
_BODY_BYTES = 4 << 10
_REQUEST_SECONDS = 10.0
_ANSWER_SECONDS = 30.0
_FAREWELL_BYTES = 256 << 10
_FAREWELL_SECONDS = 2.0
_REQUESTS = 100
"""In one connection."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. Headers are not among it: nothing that a guest says of itself is believed."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to it."""

    status: int
    body: bytes
    media_type: str = "text/plain; charset=UTF-8"


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class Conversation:
    """One connection: requests in turn, one at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming = _Incoming()
        self._parser = httptools.HttpRequestParser(self._incoming)

    async def serve(self, answer: Callable[[Request], Answer]) -> None:
        """Answer until the guest has enough, or has had enough."""
        for number in range(_REQUESTS):
            try:
                async with asyncio.timeout(_REQUEST_SECONDS):
                    request = await self._request()
            except _Refused as refused:
                phrase = HTTPStatus(refused.status).phrase
                await self._send(Answer(refused.status, phrase.encode()), head=False, last=True)
                await self._hear_out()
                return
            if request is None:
                return
            last = not self._parser.should_keep_alive() or number == _REQUESTS - 1
            await self._send(answer(request), head=request.method == "HEAD", last=last)
            if last:
                return
            self._incoming.begin()

    async def _request(self) -> Request | None:
        incoming = self._incoming
        size = 0
        while not incoming.complete:
            piece = await self._reader.read(1 << 12)
            if not piece:
                return None
            size += len(piece)
            if size > _HEADER_BYTES + _BODY_BYTES:
                raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserUpgrade:
                raise _Refused(HTTPStatus.BAD_REQUEST) from None
            except httptools.HttpParserError as error:
                context = error.__context__
                raise (context if isinstance(context, _Refused) else _Refused(HTTPStatus.BAD_REQUEST)) from None
        try:
            path = httptools.parse_url(bytes(incoming.url)).path or b"/"
        except httptools.HttpParserInvalidURLError:
            raise _Refused(HTTPStatus.BAD_REQUEST) from None
        return Request(self._parser.get_method().decode("latin-1"), path.decode("latin-1"), bytes(incoming.body))

    async def _send(self, answer: Answer, *, head: bool, last: bool) -> None:
        status = HTTPStatus(answer.status)
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Type: {answer.media_type}",
            f"Content-Length: {len(answer.body)}",
            f"Connection: {'close' if last else 'keep-alive'}",
        ]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + (b"" if head else answer.body))
        async with asyncio.timeout(_ANSWER_SECONDS):
            await self._writer.drain()

    async def _hear_out(self) -> None:
        """Closing while the guest still speaks would reset the connection, and it would never read why."""
        self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                for _ in range(_FAREWELL_BYTES >> 12):
                    if not await self._reader.read(1 << 12):
                        return


class _Incoming:
    """What the parser tells of the request that is arriving."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.url = bytearray()
        self.body = bytearray()
        self.headers = 0
        self.complete = False

    def on_message_begin(self) -> None:
        # A guest that does not wait for its answer before it asks again is none that we know.
        if self.complete:
            raise _Refused(HTTPStatus.BAD_REQUEST)

    def on_url(self, piece: bytes) -> None:
        self.url += piece
        if len(self.url) > _HEADER_BYTES // 2:
            raise _Refused(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers += len(name) + len(value)
        if self.headers > _HEADER_BYTES:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_body(self, piece: bytes) -> None:
        self.body += piece
        if len(self.body) > _BODY_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_complete(self) -> None:
        self.complete = True
