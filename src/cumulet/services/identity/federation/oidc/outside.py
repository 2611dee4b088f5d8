"""Questions to addresses that the operator has named: one request, one whole answer, within limits."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SECONDS = 10.0
MOST_BYTES = 1 << 20
THREADS = 4
MOST_WAITING = 64
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Question:
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    ca_file: str = ""
    """Certificates to trust besides the system's."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


class Unreachable(Exception):
    """No answer came, or none that could be used; the text names the address and the cause."""


Ask = Callable[[Question], Awaitable[Answer]]


class Outside:
    """Asks in a few threads of its own, so that a slow provider holds up nobody but his own people."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "outside")
        self._asked = 0

    async def ask(self, question: Question) -> Answer:
        """The answer, whatever its status; redirections are not followed. Raises Unreachable."""
        if self._asked >= MOST_WAITING:
            raise Unreachable(f"{question.url}: too many questions wait for an answer already")
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _ask, question)
        finally:
            self._asked -= 1


def _ask(question: Question) -> Answer:
    ends = time.monotonic() + SECONDS
    try:
        parts = urlsplit(question.url)
        connection = _connection(question)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(question.method, target, question.body or None, dict(question.headers))
        response = connection.getresponse()
        body = b""
        while chunk := response.read1(65_536):
            body += chunk
            if len(body) > MOST_BYTES or time.monotonic() > ends:
                raise Unreachable(f"{question.url}: the answer is too long, or takes too long")
        connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"{question.url}: {error}") from error
    return Answer(response.status, body)


def _connection(question: Question) -> http.client.HTTPConnection:
    parts = urlsplit(question.url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if question.ca_file:
            context.load_verify_locations(question.ca_file)
        return http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=context)
    if parts.scheme == "http" and host in LOOPBACK:
        return http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
    raise Unreachable(f"{question.url}: only https is spoken, except with this host itself")
