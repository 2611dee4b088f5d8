"""Asks: short questions to a node, which change no wish, and byte tunnels to its machines' screens and serial lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec

from cumulet.contracts.asks import Answer, Ask, seal
from cumulet.core.errors import CloudError, Conflict, NotFound
from cumulet.lib.clock import SECOND
from cumulet.services.fleet.errors import NodeSilent
from cumulet.services.fleet.nodes import NodeRow, view_of
from cumulet.services.fleet.room import Fleet

SECONDS = 10.0
LARGEST = 16 << 20
VALID_SECONDS = 30
MAKING_SECONDS = 3600.0
"""How long a node may take until its long answer begins."""
STALLED_SECONDS = 60.0
PIECE = 1 << 20


async def ask(
    room: Fleet, node: str, what: str, secrets: Mapping[str, str] | None = None, /, **parameters: str
) -> bytes:
    """What the node answers. Raises NodeSilent, or the node's own refusal."""
    address = (await _node(room, node))[1]
    if address in room.local_asks:
        return await room.local_asks[address](Ask(what=what, parameters={**parameters, **(secrets or {})}))
    try:
        async with (
            asyncio.timeout(SECONDS),
            _opened(room, node, what, parameters, SECONDS, secrets) as (reader, _, answer),
        ):
            if answer.length > LARGEST:
                raise NodeSilent(f"Node {node} answered with more than {LARGEST} bytes.")
            return await reader.readexactly(answer.length)
    except (TimeoutError, asyncio.IncompleteReadError) as error:
        raise NodeSilent(f"Node {node} did not answer within {SECONDS:.0f} s. Is it running?") from error


async def stream(room: Fleet, node: str, what: str, **parameters: str) -> AsyncIterator[bytes]:
    """A long answer, piece by piece; it may take its time to be made. Raises as `ask`, also in the middle."""
    address = (await _node(room, node))[1]
    if address in room.local_asks:
        yield await room.local_asks[address](Ask(what=what, parameters=parameters))
        return
    async with _opened(room, node, what, parameters, MAKING_SECONDS) as (reader, _, answer):
        left = answer.length
        while left:
            async with asyncio.timeout(STALLED_SECONDS):
                piece = await reader.read(min(left, PIECE))
            if not piece:
                raise NodeSilent(f"Node {node} broke off in the middle of its answer.")
            left -= len(piece)
            yield piece


def tunnel(
    room: Fleet, node: str, what: str, **parameters: str
) -> AbstractAsyncContextManager[tuple[asyncio.StreamReader, asyncio.StreamWriter, Answer]]:
    """A connection to the node after it agreed to the question: its bytes follow."""
    return _opened(room, node, what, parameters, SECONDS)


@asynccontextmanager
async def _opened(
    room: Fleet,
    node: str,
    what: str,
    parameters: dict[str, str],
    patience: float,
    secrets: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, Answer]]:
    row, address = await _node(room, node)
    if address in room.local_tunnels:
        reader, writer = await room.local_tunnels[address](Ask(what=what, parameters=parameters))
        try:
            yield reader, writer, Answer()
        finally:
            writer.close()
        return
    reader, writer = await _connect(node, address)
    try:
        expires = room.clock.now() + VALID_SECONDS * SECOND
        question = seal(Ask(what=what, parameters=parameters, expires_at=expires), row.secret_digest, secrets)
        writer.write(question + b"\n")
        await writer.drain()
        async with asyncio.timeout(patience):
            answer = await _answer(node, reader)
        if answer.status != 200:
            raise _refusal(answer)
        yield reader, writer, answer
    except (OSError, TimeoutError) as error:
        raise NodeSilent(f"Node {node} does not answer: {error}. Is it running?") from error
    finally:
        writer.close()


async def _answer(node: str, reader: asyncio.StreamReader) -> Answer:
    """The line before the bytes; a node that is broken, or not ours, may say anything."""
    try:
        line = await reader.readline()
        if not line:
            raise NodeSilent(f"Node {node} closed the connection instead of answering.")
        return msgspec.json.decode(line, type=Answer)
    except (ValueError, msgspec.DecodeError) as error:
        raise NodeSilent(f"Node {node} answered what no node does: {error}. Does cumulet listen there?") from error


async def sealed(room: Fleet, node: str, what: str, valid_until: int, **parameters: str) -> str:
    """The same question until the same moment is the same text."""
    row, _ = await _node(room, node)
    return seal(Ask(what=what, parameters=parameters, expires_at=valid_until), row.secret_digest).decode()


async def _node(room: Fleet, name: str) -> tuple[NodeRow, str]:
    async with room.database.read() as tx:
        row = await tx.get(NodeRow, name=name)
    if row is None:
        raise NodeSilent(f"There is no node {name[:64]} any more.")
    return row, view_of(room, row).facts.address


async def _connect(node: str, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(SECONDS):
            if address.startswith("unix:"):
                return await asyncio.open_unix_connection(address.removeprefix("unix:"))
            host, _, port = address.rpartition(":")
            return await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError, ValueError) as error:
        raise NodeSilent(f"Node {node} cannot be reached at {address}: {error}. Is it running?") from error


def _refusal(answer: Answer) -> CloudError:
    if answer.status == 404:
        return NotFound(answer.message)
    if answer.status == 409:
        return Conflict(answer.message)
    return NodeSilent(answer.message)
