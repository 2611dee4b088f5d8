"""One request and one answer, close to ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from cumulet.core.errors import BadRequest, TooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_PARAMETERS = 1000


class Request:
    """What came in. The body is read when it is asked for, never further than a limit."""

    def __init__(self, scope: Scope, receive: Receive, path: str, request_id: str) -> None:
        self.method: str = scope["method"]
        self.path = path
        """Below the service, still percent-encoded."""
        self.request_id = request_id
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            self.headers[name.decode("latin-1")] = value.decode("latin-1")
        self.scope = scope
        self._receive = receive
        self._query: list[tuple[str, str]] | None = None

    @property
    def origin(self) -> str:
        """`http://host:port`, as the client called it."""
        scheme = self.scope.get("scheme", "http")
        return f"{scheme}://{self.headers.get('host', 'localhost')}"

    @property
    def query(self) -> list[tuple[str, str]]:
        if self._query is None:
            raw = self.scope.get("query_string", b"")
            try:
                self._query = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
            except (UnicodeDecodeError, ValueError) as error:
                raise BadRequest(f"The query string cannot be read: {error}") from error
            if any("\x00" in name or "\x00" in value for name, value in self._query):
                raise BadRequest("The query string holds a NUL character, which no name or value may hold")
        return self._query

    def one(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query parameter."""
        found = default
        for key, value in self.query:
            if key == name:
                found = value
        return found

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]

    async def stream(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises ConnectionError when the client goes away in the middle."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError("the client closed the connection before the body ended")
            chunk = message.get("body", b"")
            if chunk:
                yield chunk
            more = message.get("more_body", False)

    async def body(self, limit: int) -> bytes:
        """The whole body, or TooLarge."""
        length = self.headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            raise TooLarge(f"The request body is {length} bytes; at most {limit} are allowed")
        parts: list[bytes] = []
        size = 0
        async for chunk in self.stream():
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"The request body is longer than the {limit} bytes that are allowed")
            parts.append(chunk)
        return b"".join(parts)


@dataclass
class Response:
    """What goes out: bytes, or a stream of them."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None

    @classmethod
    def json(cls, status: int, value: Any, headers: dict[str, str] | None = None) -> Response:
        return cls(status, msgspec.json.encode(value), {"content-type": "application/json", **(headers or {})})

    async def send(self, send: Send, *, head: bool = False) -> None:
        headers = [(name.lower().encode("latin-1"), _header(value)) for name, value in self.headers.items()]
        if (
            self.stream is None
            and "content-length" not in {name.lower() for name in self.headers}
            and self.status != 204
        ):
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if self.stream is not None and not head:
            async for chunk in self.stream:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"" if head or self.stream else self.body})


def _header(value: str) -> bytes:
    # A header never carries a line break, whatever text an error message quotes.
    return value.replace("\r", " ").replace("\n", " ").encode("latin-1", "replace")


def segments(path: str) -> list[str]:
    """The decoded parts of a path; an encoded slash stays inside its part."""
    return [unquote(part) for part in path.split("/") if part]
