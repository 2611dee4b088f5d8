"""A few words with QEMU's agent in a guest, over the socket that leads to it.

The guest answers, or somebody in it: little is read of what comes, and it is not waited for long.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

SECONDS = 5.0
_LONGEST = 64 << 10
_LONGEST_NO = 200
_MARK = b"\xff"
"""No text in JSON holds this byte: what stands before it was said to somebody else."""


class AgentSilent(Exception):
    """Nobody answers in time, or not in the agent's words."""


class AgentRefused(Exception):
    """The agent said no; the message is its own."""


async def tell(socket: str, command: str, arguments: dict[str, Any], seconds: float = SECONDS) -> Any:
    """What the agent answers to one command. Raises AgentSilent and AgentRefused."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(socket, limit=_LONGEST)
            try:
                await _agree(reader, writer)
                writer.write(_sentence(command, arguments))
                answer = json.loads(await reader.readuntil(b"\n"))
            finally:
                writer.close()
    except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError, ValueError, RecursionError) as error:
        raise AgentSilent(str(error) or "no answer in time") from error
    if isinstance(answer, dict) and "return" in answer:
        return answer["return"]
    no = answer.get("error") if isinstance(answer, dict) else None
    raise AgentRefused(_words(no.get("desc", "")) if isinstance(no, dict) else "it said something else")


def _words(said: object) -> str:
    """Not too many of them, and none that could not be written down: JSON can hold half a character."""
    return str(said)[:_LONGEST_NO].encode(errors="replace").decode()


async def _agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """From here on its answers are to us. The mark makes it forget half a command of somebody who went away."""
    number = random.getrandbits(32)
    writer.write(_MARK + _sentence("guest-sync-delimited", {"id": number}))
    while True:
        await reader.readuntil(_MARK)
        answer = json.loads(await reader.readuntil(b"\n"))
        if isinstance(answer, dict) and answer.get("return") == number:
            return


def _sentence(command: str, arguments: dict[str, Any]) -> bytes:
    return json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"
