"""Writes down what the kernel tells of logged packets: a line of JSON each, in a file that does not grow for ever.

Tenants choose what is logged and send the packets. So everything has a bound: what a rule may tell (`watching`), what
waits in the socket, how many lines a second are written, how long the file is, and how many old ones are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterable
from pathlib import Path

import msgspec

from cumulet.contracts.networks import PortSpec
from cumulet.drivers.network.linux import nflog
from cumulet.drivers.network.linux.watching import heard
from cumulet.drivers.network.rules import logs_of
from cumulet.lib.clock import Clock, SystemClock, iso_micros
from cumulet.lib.netns import inside

log = logging.getLogger(__name__)

_NETFILTER = 12
_WAITING_BYTES = 1 << 20
_DATAGRAM_BYTES = 1 << 16
_LINES_A_SECOND = 1000
_FILE_BYTES, _OLD_FILES = 8 << 20, 4


class Witness:
    """Listens while a port of this node is to be told about."""

    def __init__(self, namespace: str, path: Path, clock: Clock | None = None) -> None:
        self._namespace = namespace
        self._path = path
        self._clock = clock or SystemClock()
        self._ports: dict[str, PortSpec] = {}
        self._socket: socket.socket | None = None
        self._left = _LINES_A_SECOND
        self._refill: asyncio.TimerHandle | None = None

    async def ensure(self, ports: Iterable[PortSpec]) -> None:
        """Listen for what is logged of these ports, and for nothing if none is."""
        self._ports = {port.id: port for port in ports if port.logs}
        if not self._ports:
            self.close()
        elif self._socket is None:
            self._socket = await inside(self._namespace, _listening)
            asyncio.get_running_loop().add_reader(self._socket, self._read)

    def close(self) -> None:
        if self._refill is not None:
            self._refill.cancel()
            self._refill, self._left = None, _LINES_A_SECOND
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _read(self) -> None:
        """Once a datagram, so that others get their turn. What does not fit any more into the socket is lost."""
        assert self._socket is not None
        with contextlib.suppress(OSError):
            lines = [line for one in nflog.packets(self._socket.recv(_DATAGRAM_BYTES)) if (line := self._line(one))]
            self._write(lines[: self._left])
            self._left -= len(lines)
        loop = asyncio.get_running_loop()
        if self._refill is None:
            self._refill = loop.call_later(1.0, self._begin_second)
        if self._left <= 0:
            loop.remove_reader(self._socket)

    def _begin_second(self) -> None:
        self._refill, self._left = None, _LINES_A_SECOND
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _line(self, logged: nflog.Logged) -> bytes:
        said = heard(logged.prefix)
        port = self._ports.get(said[1]) if said else None
        logs = logs_of(port, said[2]) if said and port else []
        if not said or not logs:
            return b""
        shown = {
            "time": iso_micros(self._clock.now()),
            "event": "ACCEPT" if said[2] else "DROP",
            "direction": said[0],
            "port_id": said[1],
            "project_id": logs[0].project_id,
            "log_ids": [one.id for one in logs],
            "packet": nflog.described(logged),
        }
        return msgspec.json.encode(shown) + b"\n"

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        try:
            if self._path.exists() and self._path.stat().st_size > _FILE_BYTES:
                self._turn()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            with open(descriptor, "ab") as file:
                file.writelines(lines)
        except OSError as error:
            log.warning("what security groups did could not be written down: %s", error)

    def _turn(self) -> None:
        """The file becomes an old one, the oldest goes."""
        for number in range(_OLD_FILES - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")


def _listening() -> socket.socket:
    """A socket that is told of logged packets, to be made inside the namespace. Raises OSError."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER)
    try:
        opened.bind((0, 0))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WAITING_BYTES)
        for request in nflog.requests():
            opened.send(request)
            number = nflog.refusal(opened.recv(_DATAGRAM_BYTES))
            if number:
                raise OSError(number, os.strerror(number), "listening for logged packets")
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened
