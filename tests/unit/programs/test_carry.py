"""The carrier of a login's bytes ends when either side has ended: one that stays would keep ssh's output open."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 20


@contextmanager
def carried() -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """The program, and the other end of what it carries."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        argv = [sys.executable, "-m", "cumulet.programs.laptop.carry", "127.0.0.1", str(server.getsockname()[1])]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            try:
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(SECONDS)
                    yield program, connection
            finally:
                program.kill()


def test_it_ends_with_the_server_though_its_own_input_stays_open() -> None:
    with carried() as (program, server):
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b"hello")
        program.stdin.flush()
        assert server.recv(5) == b"hello"
        server.sendall(b"bye")
        server.close()

        assert program.stdout.read() == b"bye"
        assert program.wait(SECONDS) == 0


def test_it_ends_with_its_input_after_the_last_answer() -> None:
    with carried() as (program, server):
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.close()
        assert server.recv(1) == b""
        server.sendall(b"last words")
        server.close()

        assert program.stdout.read() == b"last words"
        assert program.wait(SECONDS) == 0
