"""The carrier of a login's bytes ends when either side has ended: one that stays would keep ssh's output open."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from tests.support.patience import HANG_SECONDS

CARRY = (sys.executable, "-m", "cumulet.programs.laptop.carry", "127.0.0.1")


@dataclass
class Carried:
    """The program with its two ends, and the server that it speaks to."""

    program: subprocess.Popen[bytes]
    stdin: IO[bytes]
    stdout: IO[bytes]
    server: socket.socket

    def is_over(self, last_words: bytes) -> bool:
        return self.stdout.read() == last_words and self.program.wait(HANG_SECONDS) == 0


@contextmanager
def carried() -> Iterator[Carried]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(HANG_SECONDS)
        argv = [*CARRY, str(listening.getsockname()[1])]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            try:
                server, _ = listening.accept()
                with server:
                    server.settimeout(HANG_SECONDS)
                    yield Carried(program, program.stdin, program.stdout, server)
            finally:
                program.kill()


def test_it_ends_with_the_server_though_its_own_input_stays_open() -> None:
    with carried() as login:
        login.stdin.write(b"hello")
        login.stdin.flush()
        assert login.server.recv(5) == b"hello"
        login.server.sendall(b"bye")
        login.server.close()
        assert login.is_over(b"bye")


def test_it_ends_with_its_input_after_the_last_answer() -> None:
    with carried() as login:
        login.stdin.close()
        assert login.server.recv(1) == b""
        login.server.sendall(b"last words")
        login.server.close()
        assert login.is_over(b"last words")


def test_it_ends_with_a_connection_that_breaks() -> None:
    with carried() as login:
        login.server.sendall(b"hello")
        assert login.stdout.read(5) == b"hello"
        login.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        login.server.close()
        assert login.is_over(b"")


def test_a_server_that_does_not_answer_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    done = subprocess.run([*CARRY, str(port)], input=b"", capture_output=True, timeout=HANG_SECONDS, check=False)
    assert done.returncode == 1
    assert f"does not answer at port {port}" in done.stderr.decode()
    assert b"Traceback" not in done.stderr
