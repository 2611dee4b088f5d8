"""What a guest's agent says is believed; whoever says something else, or nothing, does no harm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cumulet.lib.guest_agent import AgentRefused, AgentSilent, tell

Guest = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SECRET = {"username": "root", "password": "c2VjcmV0", "crypted": False}


@asynccontextmanager
async def listening(guest: Guest, folder: Path) -> AsyncIterator[str]:
    path = str(folder / "agent")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await guest(reader, writer)
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield path


def obedient(answer: Any, heard: list[Any]) -> Guest:
    """An agent, at which somebody before us went away in the middle of a conversation."""

    async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"return": {}}\n\xff{"return": 7}\n')
        sync = json.loads((await reader.readline()).removeprefix(b"\xff"))
        writer.write(b"\xff" + json.dumps({"return": sync["arguments"]["id"]}).encode() + b"\n")
        heard.append(json.loads(await reader.readline()))
        writer.write(json.dumps(answer).encode() + b"\n")

    return guest


async def test_an_agent_does_as_it_is_told(tmp_path: Path) -> None:
    heard: list[Any] = []
    async with listening(obedient({"return": {}}, heard), tmp_path) as path:
        assert await tell(path, "guest-set-user-password", SECRET) == {}
    assert heard == [{"execute": "guest-set-user-password", "arguments": SECRET}]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": {"class": "GenericError", "desc": "no such user"}}, "no such user"),
        ({"error": {"desc": "x" * 5000}}, "^x{200}$"),
        ({"error": {"desc": "half \ud800"}}, r"^half \?$"),
        ({"error": "no"}, "something else"),
        (["return"], "something else"),
    ],
)
async def test_an_agent_says_no(tmp_path: Path, answer: Any, words: str) -> None:
    async with listening(obedient(answer, []), tmp_path) as path:
        with pytest.raises(AgentRefused, match=words):
            await tell(path, "guest-set-user-password", SECRET)


async def _deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def _babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\xff{]\n")
    await reader.read()


async def _digging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\xff" + b"[" * 60_000 + b"\n")
    await reader.read()


async def _flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"x" * (1 << 20))
    await reader.read()


@pytest.mark.parametrize("guest", [_deaf, _gone, _babbling, _digging, _flooding])
async def test_whoever_is_no_agent_is_not_waited_for(tmp_path: Path, guest: Guest) -> None:
    async with listening(guest, tmp_path) as path:
        with pytest.raises(AgentSilent):
            await tell(path, "guest-set-user-password", SECRET, seconds=0.2)


async def test_where_nobody_listens_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(AgentSilent):
        await tell(str(tmp_path / "agent"), "guest-ping", {})
