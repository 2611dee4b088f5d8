"""The only way home: fetch what is assigned to this node, report what was found, fetch images."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from cumulet.contracts.assignments import Assignments, NodeFacts, Report, Reports
from cumulet.contracts.moves import Luggage

SECONDS = 20.0
PIECE = 1 << 20
T = TypeVar("T")


class ControlPlaneSilent(Exception):
    """The control plane did not answer, or refused; the message says which."""


class _Key(msgspec.Struct):
    key: str


class _Secret(msgspec.Struct):
    secret: str


class ControlPlane(Protocol):
    """What a node may ask of the control plane."""

    async def beat(self, facts: NodeFacts) -> None: ...

    async def assignments(self, since: int, noticed: int, wait: float) -> Assignments:
        """What changed since an order's number and a notice's; hangs up to `wait` seconds while nothing has."""
        ...

    async def report(self, reports: Sequence[Report]) -> None: ...

    def image(self, image_id: str) -> AsyncIterator[bytes]: ...

    def volume_file(self, volume_id: str) -> AsyncIterator[bytes]:
        """The file of a volume that is to arrive here, with its holes."""
        ...

    async def volume_key(self, volume_id: str) -> str:
        """What opens an encrypted volume."""
        ...

    def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        """Its content, as a file with holes (`lib/sparse.py`)."""
        ...

    async def luggage(self, machine_id: str) -> Luggage:
        """What a machine that is to arrive here has on its old node."""
        ...

    def luggage_file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]: ...


class HttpControlPlane:
    """The control plane at a URL: `http://host:port` or `unix:/path`.

    Calls run in threads over the standard library's client: two at most at a time, one of which hangs in a long poll.
    """

    def __init__(self, url: str, name: str, secret: str) -> None:
        self._url = url
        self._path = f"/fleet/v1/nodes/{quote(name)}"
        self._secret = secret
        self._open_now: set[http.client.HTTPConnection] = set()

    def close(self) -> None:
        """Break off what hangs, so that no thread keeps the process alive."""
        for connection in list(self._open_now):
            with contextlib.suppress(OSError):
                if connection.sock is not None:
                    connection.sock.shutdown(socket.SHUT_RDWR)

    async def beat(self, facts: NodeFacts) -> None:
        await asyncio.to_thread(self._call, "PUT", self._path, msgspec.json.encode(facts))

    async def assignments(self, since: int, noticed: int, wait: float) -> Assignments:
        path = f"{self._path}/assignments?since={since}&noticed={noticed}&wait={wait:.0f}"
        answer = await asyncio.to_thread(self._call, "GET", path, b"", wait + SECONDS)
        return self._said(answer, Assignments)

    async def report(self, reports: Sequence[Report]) -> None:
        batch = msgspec.json.encode(Reports(reports=tuple(reports)))
        await asyncio.to_thread(self._call, "POST", f"{self._path}/reports", batch)

    def image(self, image_id: str) -> AsyncIterator[bytes]:
        return self._stream(f"{self._path}/images/{quote(image_id)}")

    def volume_file(self, volume_id: str) -> AsyncIterator[bytes]:
        return self._stream(f"{self._path}/volumes/{quote(volume_id)}/file")

    async def volume_key(self, volume_id: str) -> str:
        answer = await asyncio.to_thread(self._call, "GET", f"{self._path}/volumes/{quote(volume_id)}/key", b"")
        return self._said(answer, _Key).key

    def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        return self._stream(f"{self._path}/backups/{quote(backup_id)}")

    async def luggage(self, machine_id: str) -> Luggage:
        answer = await asyncio.to_thread(self._call, "GET", f"{self._path}/machines/{quote(machine_id)}/luggage", b"")
        return self._said(answer, Luggage)

    def luggage_file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        return self._stream(f"{self._path}/machines/{quote(machine_id)}/luggage/{quote(name)}?offset={offset}")

    async def _stream(self, path: str) -> AsyncIterator[bytes]:
        connection, response = await asyncio.to_thread(self._open, "GET", path, b"", SECONDS)
        try:
            while piece := await asyncio.to_thread(_read, response, self._url):
                yield piece
        finally:
            self._end(connection)

    async def join(self, token: str, facts: NodeFacts) -> str:
        """Join the fleet; the secret to show from now on."""
        headers = {"X-Join-Token": token}
        answer = await asyncio.to_thread(
            self._call, "POST", "/fleet/v1/nodes", msgspec.json.encode(facts), SECONDS, headers
        )
        return self._said(answer, _Secret).secret

    def _call(
        self, method: str, path: str, body: bytes, timeout: float = SECONDS, headers: dict[str, str] | None = None
    ) -> bytes:
        connection, response = self._open(method, path, body, timeout, headers)
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ControlPlaneSilent(f"the answer of {self._url} broke off: {error}") from error
        finally:
            self._end(connection)

    def _said(self, answer: bytes, kind: type[T]) -> T:
        """A proxy between, or another program at this address, may answer with a page of its own."""
        try:
            return msgspec.json.decode(answer, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ControlPlaneSilent(f"what {self._url} answered is not from a control plane: {error}") from error

    def _end(self, connection: http.client.HTTPConnection) -> None:
        self._open_now.discard(connection)
        connection.close()

    def _open(
        self, method: str, path: str, body: bytes, timeout: float, headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = _connection(self._url, timeout)
        self._open_now.add(connection)
        try:
            connection.request(
                method,
                path,
                body or None,
                {"X-Node-Secret": self._secret, "Content-Type": "application/json", **(headers or {})},
            )
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._end(connection)
            raise ControlPlaneSilent(f"{self._url} cannot be reached: {error}") from error
        if response.status >= 300:
            try:
                text = response.read(2000).decode("utf-8", "replace")
            except (OSError, http.client.HTTPException) as error:
                text = str(error)
            self._end(connection)
            raise ControlPlaneSilent(f"{self._url} answered {response.status} to {method} {path}: {text}")
        return connection, response


def _read(response: http.client.HTTPResponse, url: str) -> bytes:
    try:
        return response.read(PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise ControlPlaneSilent(f"the answer of {url} broke off: {error}") from error


def _connection(url: str, timeout: float) -> http.client.HTTPConnection:
    if url.startswith("unix:"):
        return _UnixConnection(url.removeprefix("unix:"), timeout)
    parts = urlsplit(url)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._unix_path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._unix_path)
