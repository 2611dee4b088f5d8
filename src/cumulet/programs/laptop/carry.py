"""Carries bytes between standard input and output and a port of an address, until either side has ended.

A program of its own, because it may have to run inside the namespaces of a rootless cloud: python -m … ADDRESS [PORT]
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading

SSH_PORT = 22
CONNECT_SECONDS = 10.0
FAREWELL_SECONDS = 5.0
"""How long the server's last words are waited for once our side has said all."""
_PIECE = 65536


def carry(address: str, port: int) -> None:
    try:
        connection = socket.create_connection((address, port), CONNECT_SECONDS)
    except OSError as error:
        sys.exit(f"{address} does not answer at port {port}: {error}")
    connection.settimeout(None)
    answers = threading.Thread(target=_answers, args=(connection,), daemon=True)
    answers.start()
    with contextlib.suppress(OSError):
        while piece := os.read(sys.stdin.fileno(), _PIECE):
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
    answers.join(FAREWELL_SECONDS)


def _answers(connection: socket.socket) -> None:
    # A connection that breaks, and an ssh that is gone, are ends like any other.
    with contextlib.suppress(OSError):
        while piece := connection.recv(_PIECE):
            while piece:
                piece = piece[os.write(sys.stdout.fileno(), piece) :]
    # The main thread may still wait for a standard input that stays open; nobody listens to it any more.
    os._exit(0)


if __name__ == "__main__":
    carry(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else SSH_PORT)
