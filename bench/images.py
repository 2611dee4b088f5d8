"""CPU and memory of an upload and a download, beside what any Python server must pay: python bench/images.py [MIB].

The floor of an upload is a bare ASGI application on the same server that receives the bytes and takes both digests; the
floor of a download is one that reads a file and sends it. What is above it is looking into the image, keeping it, and
whatever we do clumsily.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.api import TICK, Cloud, cpu_ticks
from tests.support.servers import free_port

PIECE = 1 << 20
DOWNLOADS = 5
"""One costs little: so many are measured together."""


# ---- the floor -------------------------------------------------------------------------------------------------------


async def floor(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Receives and digests, or reads and sends."""
    if scope["method"] == "PUT":
        digests = [hashlib.md5(usedforsecurity=False), hashlib.sha512()]
        more = True
        while more:
            event = await receive()
            for digest in digests:
                digest.update(event.get("body", b""))
            more = event.get("more_body", False)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    path = Path(scope["path"])
    length = str(path.stat().st_size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    with path.open("rb", buffering=0) as file:  # noqa: ASYNC230  # the cheapest way there is
        while piece := file.read(PIECE):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@contextmanager
def floor_server() -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.images:floor", "--port", str(port), "--log-level", "warning"]
    command += ["--lifespan", "off"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    try:
        for _ in range(300):
            try:
                http.client.HTTPConnection("127.0.0.1", port).connect()
                break
            except OSError:
                time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


# ---- measuring -------------------------------------------------------------------------------------------------------


class Watched:
    """CPU and the greatest memory of a process during a block."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.seconds = 0.0
        self.mib = 0.0
        self._over = threading.Event()

    def __enter__(self) -> Watched:
        self._before = cpu_ticks(str(self.pid))
        self._began = self.rss()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()
        self.seconds = (cpu_ticks(str(self.pid)) - self._before) / TICK

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.mib = max(self.mib, self.rss() - self._began)

    def rss(self) -> float:
        words = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(words[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def upload(port: int, path: str, headers: dict[str, str], pieces: int, data: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    given = {"Content-Type": "application/octet-stream", "Content-Length": str(pieces * len(data)), **headers}
    connection.request("PUT", path, (data for _ in range(pieces)), given)
    answer = connection.getresponse()
    assert answer.status == 204, answer.read()[:500]


def download(port: int, path: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()[:500]
    size = 0
    buffer = bytearray(PIECE)
    while got := answer.readinto(buffer):
        size += got
    return size


def main(mebibytes: int) -> None:
    data = os.urandom(PIECE)
    gib = mebibytes / 1024
    found: dict[str, Watched] = {}
    with tempfile.TemporaryDirectory() as folder, floor_server() as (port, pid):
        file = Path(folder) / "image"
        with file.open("wb") as output:
            for _ in range(mebibytes):
                output.write(data)
        with Watched(pid) as found["upload, floor"]:
            upload(port, "/", {}, mebibytes, data)
        with Watched(pid) as found["download, floor"]:
            for _ in range(DOWNLOADS):
                assert download(port, str(file), {}) == mebibytes * PIECE
    cloud = Cloud("")
    try:
        token = {"X-Auth-Token": cloud.token}
        wish = {"name": "bench", "disk_format": "raw", "container_format": "bare"}
        image = cloud.call("POST", "/image/v2/images", wish)
        path = f"/image/v2/images/{image['id']}/file"
        with Watched(cloud.pid) as found["upload"]:
            upload(cloud.port, path, token, mebibytes, data)
        with Watched(cloud.pid) as found["download"]:
            for _ in range(DOWNLOADS):
                assert download(cloud.port, path, token) == mebibytes * PIECE
    finally:
        cloud.end()
    rows = {}
    for name, watched in found.items():
        against = found[f"{name.partition(',')[0]}, floor"]
        times = DOWNLOADS if name.startswith("download") else 1
        rows[name] = {
            "cpu_s_per_gib": round(watched.seconds / gib / times, 2),
            "times_floor": round(watched.seconds / against.seconds, 2),
            "memory_mib": round(watched.mib, 1),
        }
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2048)
