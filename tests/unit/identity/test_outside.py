"""Questions to providers: what is asked, what is taken for an answer, and what is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cumulet.services.identity.federation.oidc.outside import MOST_BYTES, Outside, Question, Unreachable


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/answer")
            self.end_headers()
        elif self.path == "/silence":
            self.close_connection = True
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * (MOST_BYTES + 1) if self.path == "/long" else self.path.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(418)
        self.end_headers()
        self.wfile.write(body + self.headers["X-Word"].encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_an_answer_is_whole_whatever_it_says(address: str) -> None:
    ask = Outside().ask
    assert (await ask(Question(f"{address}/a?b=c"))).body == b"/a?b=c"
    answer = await ask(Question(f"{address}/", "POST", {"X-Word": "y"}, b"x"))
    assert (answer.status, answer.body) == (418, b"xy")
    assert (await ask(Question(f"{address}/elsewhere"))).status == 302


@pytest.mark.parametrize(
    "url",
    [
        "{}/long",
        "{}/silence",
        "http://127.0.0.1:1/",
        "http://198.51.100.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://",
        "https://[",
        "nowhere",
        "",
    ],
)
async def test_what_is_no_answer(address: str, url: str) -> None:
    with pytest.raises(Unreachable):
        await Outside().ask(Question(url.format(address)))
