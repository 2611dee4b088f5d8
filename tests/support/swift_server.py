"""A small object store that speaks as Swift does, with the identity service that its clients sign in at.

It knows what an image store needs: tokens that expire, objects, lists by prefix and delimiter in pages, ranges, and
manifests of segments, which it checks as the real one does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cumulet.drivers.image_store.swift import Account

CONTAINER = "pictures"
PIECE = 1 << 16
POLL_SECONDS = 0.02
"""How long it may take to notice that it shall end."""


@dataclass
class SwiftServer:
    url: str = ""
    container: str = CONTAINER
    objects: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, list[str]] = field(default_factory=dict)
    """The segments of large objects, in order."""
    tokens: set[str] = field(default_factory=set)
    signed_in: int = 0
    most_bytes: int = 1 << 40

    @property
    def account(self) -> Account:
        return Account(f"{self.url}/identity/v3", "glance", "secret", "service")

    def expire_tokens(self) -> None:
        self.tokens.clear()

    def content(self, name: str) -> bytes | None:
        if name in self.manifests:
            return b"".join(self.objects[segment] for segment in self.manifests[name])
        return self.objects.get(name)

    def names(self, prefix: str, delimiter: str, marker: str, limit: int) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for name in sorted({*self.objects, *self.manifests}):
            if name.startswith(prefix):
                head, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
                if cut:
                    found[prefix + head + cut] = {"subdir": prefix + head + cut}
                else:
                    found[name] = {"name": name, "bytes": len(self.content(name) or b"")}
        return [entry for name, entry in sorted(found.items()) if name > marker][:limit]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    swift: SwiftServer

    def do_POST(self) -> None:
        swift, wish = self.swift, json.loads(self._body())
        user = wish["auth"]["identity"]["password"]["user"]
        if (user["name"], user["password"]) != ("glance", "secret"):
            self._answer(401)
            return
        swift.signed_in += 1
        token = f"token-{swift.signed_in}"
        swift.tokens.add(token)
        public = {"interface": "public", "region": "RegionOne", "url": f"{swift.url}/v1/AUTH_service"}
        internal = {"interface": "internal", "region": "RegionOne", "url": "http://192.0.2.1/"}
        catalog = [{"type": "object-store", "endpoints": [internal, public]}]
        self._answer(201, json.dumps({"token": {"catalog": catalog}}).encode(), {"X-Subject-Token": token})

    def do_PUT(self) -> None:
        body = self._body()
        if (name := self._name()) is None:
            return
        if sum(map(len, self.swift.objects.values())) + len(body) > self.swift.most_bytes:
            self._answer(507)
        elif "multipart-manifest" in self._query():
            self._put_manifest(name, json.loads(body))
        else:
            self.swift.manifests.pop(name, None)
            self.swift.objects[name] = body
            self._answer(201)

    def _put_manifest(self, name: str, listed: list[dict[str, Any]]) -> None:
        segments = [entry["path"].removeprefix(f"/{CONTAINER}/") for entry in listed]
        sizes = [len(self.swift.objects.get(segment, b"")) for segment in segments]
        if not listed or 0 in sizes or sizes != [entry["size_bytes"] for entry in listed]:
            self._answer(400)
            return
        self.swift.objects.pop(name, None)
        self.swift.manifests[name] = segments
        self._answer(201)

    def do_GET(self) -> None:
        if (name := self._name()) is None:
            return
        if not name:
            query = self._query()
            page = self.swift.names(query["prefix"], query["delimiter"], query["marker"], int(query["limit"]))
            self._answer(200, json.dumps(page).encode())
            return
        content = self.swift.content(name)
        if content is None:
            self._answer(404)
            return
        given = self.headers.get("range")
        if given is None:
            self._answer(200, content)
            return
        first, _, last = given.removeprefix("bytes=").partition("-")
        if int(first) >= len(content):
            self._answer(416)
            return
        self._answer(206, content[int(first) : int(last or len(content)) + 1])

    def do_DELETE(self) -> None:
        if (name := self._name()) is None:
            return
        gone = [kept.pop(name, None) for kept in (self.swift.objects, self.swift.manifests)]
        self._answer(404 if gone == [None, None] else 204)

    def _name(self) -> str | None:
        """The object that is asked for; None when the request was refused."""
        if self.headers.get("x-auth-token") not in self.swift.tokens:
            self._answer(401)
            return None
        path = unquote(urlsplit(self.path).path).removeprefix("/v1/AUTH_service/")
        container, _, name = path.partition("/")
        if container != CONTAINER:
            self._answer(404)
            return None
        return name

    def _query(self) -> dict[str, str]:
        found = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", "0")))
        body = b""
        while size := int(self.rfile.readline() or b"-1", 16):
            if size < 0:
                raise ConnectionError("the client went away")
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), PIECE):
            self.wfile.write(body[start : start + PIECE])

    def log_message(self, format: str, *args: object) -> None:
        """Tests print what matters to them."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are what some tests are about."""


@contextmanager
def swift_server() -> Iterator[SwiftServer]:
    swift = SwiftServer()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"swift": swift}))
    swift.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield swift
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
