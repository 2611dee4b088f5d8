"""What the front door does with those who do not keep to HTTP, byte by byte; and how fast it closes."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn

from cumulet.contracts.assignments import NodeFacts
from cumulet.node.control_plane import HttpControlPlane
from cumulet.programs.laptop import processes
from cumulet.programs.protocol import Protocol
from tests.support.laptop import Laptop
from tests.support.patience import HANG_SECONDS
from tests.support.running_cloud import RunningCloud
from tests.support.servers import free_port


def say(cloud: RunningCloud, *pieces: bytes) -> bytes:
    """The whole answer to these bytes, up to the end of the connection."""
    parts = urlsplit(cloud.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=HANG_SECONDS) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break
        return answer_on(connection)


def answer_on(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


CLOSE = b"Host: x\r\nConnection: close\r\n"
JSON = CLOSE + b"Content-Type: application/json\r\n"


def test_an_ordinary_request(cloud: RunningCloud) -> None:
    assert status(say(cloud, b"GET /healthcheck HTTP/1.1\r\n" + CLOSE + b"\r\n")) == 200


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"GET /v3 HTTP/1.1\r\nConnection: close\r\n\r\n"], 400),
        ([b"not http at all\r\n\r\n"], 400),
        ([b"GET /v3 HTTP/1.1\r\n" + CLOSE + b"X-Long: " + b"a" * 66_000 + b"\r\n\r\n"], 431),
        ([b"GET /v3 HTTP/1.1\r\n" + CLOSE] + [b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(80)], 431),
        ([b"GET /v3?" + b"a" * 66_000 + b" HTTP/1.1\r\n" + CLOSE + b"\r\n"], 431),
        ([b"POST /v3/auth/tokens HTTP/1.1\r\n" + JSON + b"Content-Length: 8\r\n\r\n{ broken"], 400),
        ([b"POST /v3/auth/tokens HTTP/1.1\r\n" + JSON + b"Content-Length: 2\r\n\r\n\xff\xfe"], 400),
        ([b"POST /v3/auth/tokens HTTP/1.1\r\n" + JSON + b"Content-Length: 999999999\r\n\r\n"], 413),
    ],
    ids=["no host", "no http", "long header", "many headers", "long url", "bad json", "bad text", "large body"],
)
def test_what_is_not_taken(cloud: RunningCloud, pieces: list[bytes], expected: int) -> None:
    assert status(say(cloud, *pieces)) == expected


def test_a_body_without_an_end_is_cut_off(cloud: RunningCloud) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = b"POST /v3/auth/tokens HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n"

    assert status(say(cloud, head, *[chunk] * 64)) == 413


def test_who_says_nothing_more_is_let_go(cloud: RunningCloud) -> None:
    parts = urlsplit(cloud.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=HANG_SECONDS) as idle:
        idle.sendall(b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(answer_on(idle)) == 200  # which returns when the other side closes


async def test_who_sends_his_headers_slowly_is_told_and_let_go() -> None:
    class Impatient(Protocol):
        header_seconds = 0.2

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("no request ever arrives")

    config = uvicorn.Config(app, http=Impatient, lifespan="off", log_config=None, port=free_port())
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    async with asyncio.timeout(HANG_SECONDS):
        while not server.started:  # noqa: ASYNC110 - uvicorn tells no other way
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", config.port)
        writer.write(b"GET / HTTP/1.1\r\nHost:")
        assert status(await reader.read()) == 408
        writer.close()
        server.should_exit = True
        await serving


async def test_it_ends_within_moments_though_a_node_waits_for_orders(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "cloud", free_port())
    laptop.up("--simulate", "--port", str(laptop.port))
    try:
        facts = NodeFacts(
            name="far",
            hypervisor="QEMU",
            accelerator="tcg",
            hypervisor_version=7002000,
            vcpus=1,
            memory_mib=1024,
            disk_gib=10,
            tunnel_address="127.0.0.1",
            address="127.0.0.1:1",
        )
        secret = await HttpControlPlane(laptop.url, "far", "").join(join_token(laptop), facts)
        with socket.create_connection(("127.0.0.1", laptop.port), timeout=HANG_SECONDS) as waiting:
            waiting.sendall(b"GET /fleet/v1/nodes/far/assignments?since=0&wait=30 HTTP/1.1\r\nHost: x\r\n")
            waiting.sendall(b"X-Node-Secret: " + secret.encode() + b"\r\n\r\n")
            assert select.select([waiting], [], [], 0.5)[0] == []  # nothing is ordered, so there is nothing to say
            began = time.monotonic()
            laptop.cumulet("down")
            assert time.monotonic() - began < processes.STOP_SECONDS  # else it was killed
    finally:
        processes.stop(laptop.state, "serve")


def join_token(laptop: Laptop) -> str:
    environment = {**os.environ, "CUMULET_CONFIG": str(processes.settings_file(laptop.state))}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    said = subprocess.run(
        [sys.executable, "-m", "cumulet", "node-token"],
        env=environment,
        capture_output=True,
        timeout=HANG_SECONDS,
        check=True,
    )
    return said.stdout.decode().strip()
