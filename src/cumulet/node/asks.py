"""Answers the control plane's questions: short ones with bytes, longer ones with a tunnel to a machine's socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from cumulet.contracts.asks import Answer, Ask, BadSeal, unseal
from cumulet.drivers.hypervisor.base import MachineFailed, Unfit
from cumulet.drivers.volume.base import CopyFailed
from cumulet.lib.clock import Clock
from cumulet.lib.joined import join
from cumulet.lib.sparse import Parcel, send

log = logging.getLogger("cumulet.node")

FIRST_LINE_SECONDS = 10.0
LONGEST_LINE = 64 * 1024
COPY_PIECE = 1 << 20
MOST_AT_ONCE = 256
"""Connections beyond these are closed at once: whoever opens them without a seal costs a node nothing more."""

Answerer = Callable[[Mapping[str, str]], Awaitable[bytes]]
SocketOf = Callable[[str], str]
Copier = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Path]]
"""Makes a file to answer with, and removes it afterwards."""
Opener = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Parcel]]
"""Opens a file of which only the data is sent."""


class AskServer:
    """Listens at a unix socket (`unix:/path`) or an address, and serves sealed questions only."""

    def __init__(
        self,
        address: str,
        key: str,
        clock: Clock,
        answers: Mapping[str, Answerer],
        tunnels: Mapping[str, SocketOf],
        copies: Mapping[str, Copier] | None = None,
        parcels: Mapping[str, Opener] | None = None,
    ) -> None:
        self._address = address
        self._key = key
        self._clock = clock
        self._answers = answers
        self._tunnels = tunnels
        """From a machine's id to the unix socket that a tunnel of this kind leads to."""
        self._copies = copies or {}
        """Long answers, which take their time to be made."""
        self._parcels = parcels or {}
        self._open = 0

    async def run(self) -> None:
        """Serve for ever."""
        if self._address.startswith("unix:"):
            path = self._address.removeprefix("unix:")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            server = await asyncio.start_unix_server(self._serve, path, limit=LONGEST_LINE)
        else:
            host, _, port = self._address.rpartition(":")
            server = await asyncio.start_server(self._serve, host, int(port), limit=LONGEST_LINE)
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= MOST_AT_ONCE:
            writer.close()
            return
        self._open += 1
        try:
            async with asyncio.timeout(FIRST_LINE_SECONDS):
                line = await reader.readline()
            ask = unseal(line, self._key, self._clock.now())
            if ask.what in self._tunnels:
                await self._tunnel(ask, reader, writer)
            elif ask.what in self._copies:
                await self._copy(ask, writer)
            elif ask.what in self._parcels:
                await self._send(ask, writer)
            else:
                await self._answer(ask, writer)
        except BadSeal as error:
            await _say(writer, Answer(status=403, message=f"The question was refused: {error}."))
        except (TimeoutError, ValueError, ConnectionError, OSError) as error:
            log.info("an ask broke off: %s", error)
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, ask: Ask, writer: asyncio.StreamWriter) -> None:
        answerer = self._answers.get(ask.what)
        if answerer is None:
            known = ", ".join(sorted({*self._answers, *self._tunnels, *self._copies, *self._parcels}))
            await _say(writer, Answer(status=404, message=f"This node cannot answer {ask.what!r}; it knows {known}."))
            return
        try:
            body = await answerer(ask.parameters)
        except (LookupError, FileNotFoundError) as error:
            await _say(writer, Answer(status=404, message=f"There is nothing to answer with: {error}"))
            return
        except MachineFailed as error:
            await _say(writer, Answer(status=409, message=str(error)))
            return
        await _say(writer, Answer(length=len(body)))
        writer.write(body)
        await writer.drain()

    async def _copy(self, ask: Ask, writer: asyncio.StreamWriter) -> None:
        """The length when the file is made, then the file."""
        try:
            async with self._copies[ask.what](ask.parameters) as path:
                with path.open("rb") as opened:
                    await _say(writer, Answer(length=path.stat().st_size))
                    while piece := await asyncio.to_thread(opened.read, COPY_PIECE):
                        writer.write(piece)
                        await writer.drain()
        except (LookupError, ValueError, Unfit, MachineFailed, CopyFailed) as error:
            await _say(writer, Answer(status=409, message=f"There is no such copy to be had: {error}"))

    async def _send(self, ask: Ask, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._parcels[ask.what](ask.parameters) as parcel:
                await _say(writer, Answer(length=parcel.length))
                async for piece in send(parcel):
                    writer.write(piece)
                    await writer.drain()
        except (LookupError, ValueError, MachineFailed, CopyFailed) as error:
            await _say(writer, Answer(status=409, message=f"There is no such file to be had: {error}"))

    async def _tunnel(self, ask: Ask, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner = await asyncio.open_unix_connection(self._tunnels[ask.what](ask.parameters["machine"]))
        except (OSError, LookupError, ValueError) as error:
            await _say(writer, Answer(status=409, message=f"The machine has no open {ask.what} now: {error}"))
            return
        await _say(writer, Answer())
        await join((reader, writer), inner)


async def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(msgspec.json.encode(answer) + b"\n")
    await writer.drain()
