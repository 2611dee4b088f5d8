"""HTTP as we accept it: bounded headers that come in time, a Host in every request."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEADERS = 64 * 1024
HEADER_SECONDS = 20.0
"""From the connection, or the first byte of a later request, to the end of the headers."""


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with a limit on the bytes of a request's headers and on the time they take."""

    header_seconds = HEADER_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        if self._patience is None:
            self._expect_headers()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name + value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_expecting()
        if self.parser.get_http_version() == "1.1" and not any(name == b"host" for name, _ in self.headers):
            self._refuse(b"400 Bad Request", b"The request has no Host header.")
            return
        super().on_headers_complete()

    def _expect_headers(self) -> None:
        self._patience = self.loop.call_later(self.header_seconds, self._give_up)

    def _stop_expecting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self._refuse(b"408 Request Timeout", b"The request's headers took too long.")

    def _count(self, text: bytes) -> None:
        self._header_bytes += len(text)
        if self._header_bytes > LARGEST_HEADERS:
            self._refuse(b"431 Request Header Fields Too Large", b"The headers are longer than 64 KiB.")
            raise ValueError("headers too large")  # ends the parser's work on this connection

    def _refuse(self, status: bytes, message: bytes) -> None:
        head = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, len(message)) + message)
        self.transport.close()
