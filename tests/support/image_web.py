"""A web server with small images, for clouds that may not reach the real ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cumulet.services.image.seed import empty_qcow2

POLL_SECONDS = 0.02
"""How long it may take to notice that it shall end."""
FILES = {"/disk.raw": b"A small disk. ".ljust(1 << 16, b"-"), "/disk.qcow2": empty_qcow2(1 << 20)}


@dataclass(frozen=True, slots=True)
class ImageWeb:
    port: int

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def tempest_settings(self) -> dict[str, str]:
        return {"http_image": self.url("/disk.raw"), "http_qcow2_image": self.url("/disk.qcow2")}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        content = FILES.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("content-length", str(len(content or b"")))
        self.end_headers()
        if with_body:
            self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Tests print what matters to them."""


@contextmanager
def image_web() -> Iterator[ImageWeb]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield ImageWeb(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
