"""A conversation with a program of QEMU over its monitor (QMP): commands with answers, and events as they come."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_LONGEST_LINE = 16 << 20
"""A guest that took over its QEMU must not fill our memory."""


class MonitorLost(Exception):
    """The other side is gone, or does not answer any more."""


class Refused(Exception):
    """QEMU said no; the message is its own."""

    def __init__(self, command: str, kind: str, message: str) -> None:
        super().__init__(f"{command}: {message}")
        self.kind = kind


Event = dict[str, Any]


class Monitor:
    """One connection. QEMU serves one at a time, so keep it open and share it."""

    def __init__(self, connection: socket.socket, on_event: Callable[[Event], None]) -> None:
        self._socket = connection
        self._on_event = on_event
        self._answers: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        self._number = 0
        self._sending = asyncio.Lock()
        self._greeting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.ensure_future(self._read())
        self.lost = False

    @classmethod
    async def connect(cls, path: Path, on_event: Callable[[Event], None], timeout: float) -> Monitor:
        """Raises FileNotFoundError or ConnectionRefusedError when nobody listens, MonitorLost when nobody answers."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await asyncio.get_running_loop().sock_connect(connection, str(path))
        except BaseException:
            connection.close()
            raise
        monitor = cls(connection, on_event)
        try:
            async with asyncio.timeout(timeout):
                await monitor._greeting
                await monitor.ask("qmp_capabilities", timeout=timeout)
        except BaseException as error:
            await monitor.close()
            if isinstance(error, TimeoutError | ConnectionError):
                raise MonitorLost("the process does not greet") from error
            raise
        return monitor

    @property
    def peer(self) -> int:
        """The number of the process on the other side."""
        credentials = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])

    async def ask(
        self, command: str, arguments: dict[str, Any] | None = None, *, fds: Sequence[int] = (), timeout: float = 30
    ) -> Any:
        """Give a command and wait for its answer. Raises `Refused` or `MonitorLost`."""
        if self.lost:
            raise MonitorLost("the process is gone")
        self._number += 1
        number = self._number
        message = json.dumps({"execute": command, "arguments": arguments or {}, "id": number}).encode() + b"\n"
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = command, answer
        try:
            async with asyncio.timeout(timeout):
                async with self._sending:
                    if fds:
                        # Descriptors travel with the first byte; so small a message is taken whole.
                        sent = socket.send_fds(self._socket, [message], list(fds))
                        message = message[sent:]
                    await asyncio.get_running_loop().sock_sendall(self._socket, message)
                return await answer
        except TimeoutError:
            raise MonitorLost(f"{command}: no answer within {timeout:g} s") from None
        except OSError as error:
            raise MonitorLost("the process is gone") from error
        finally:
            self._answers.pop(number, None)

    async def close(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        pending = bytearray()
        try:
            while piece := await loop.sock_recv(self._socket, 1 << 16):
                pending += piece
                if len(pending) > _LONGEST_LINE:
                    return
                *lines, rest = pending.split(b"\n")
                pending = bytearray(rest)
                for line in lines:
                    if line.strip():
                        self._hear(json.loads(line))
        except (OSError, ValueError):
            return
        finally:
            self.lost = True
            self._socket.close()
            for _, answer in [*self._answers.values(), ("", self._greeting)]:
                if not answer.done():
                    answer.set_exception(MonitorLost("the process is gone"))
                    answer.exception()  # Nobody may be waiting for it.

    def _hear(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self._on_event(message)
        elif "QMP" in message:
            if not self._greeting.done():
                self._greeting.set_result(message)
        else:
            command, answer = self._answers.get(message.get("id", 0), ("", None))
            if answer is None or answer.done():
                return
            if "error" in message:
                error = message["error"]
                answer.set_exception(Refused(command, str(error.get("class")), str(error.get("desc"))))
            else:
                answer.set_result(message.get("return"))
