"""The official command `openstack`, unmodified, as one process that reads its commands from a pipe.

Its start costs more than most commands do, so a story of many commands is told to one process, as a script would by
`openstack < commands`. After each command the shell is made to echo a mark, which says that the command has ended.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

OPENSTACK = str(Path(sys.executable).parent / "openstack")
MARK = "=-=-= done =-=-="
LONGEST_ANSWER = 1 << 24
LIMIT = 90.0
STOP_LIMIT = 10.0


class CommandFailed(AssertionError):
    """What the command printed instead of what was expected."""


class OpenStackShell:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def text(self, command: str) -> str:
        """All that the command printed, errors included."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n!echo '{MARK}'\n".encode())
        try:
            async with asyncio.timeout(LIMIT):
                await self._process.stdin.drain()
                answer = await self._process.stdout.readuntil(f"{MARK}\n".encode())
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            raise CommandFailed(f"openstack {command}: {type(error).__name__}") from error
        return answer.decode().removesuffix(f"{MARK}\n")

    async def json(self, command: str) -> Any:
        printed = await self.text(f"{command} -f json")
        try:
            return json.loads(printed)
        except ValueError as error:
            raise CommandFailed(f"openstack {command}: {printed}") from error

    async def silent(self, command: str) -> None:
        """A command that prints nothing when all is well."""
        printed = (await self.text(command)).strip()
        if printed:
            raise CommandFailed(f"openstack {command}: {printed}")


@asynccontextmanager
async def openstack_shell(environment: Mapping[str, str], *options: str) -> AsyncIterator[OpenStackShell]:
    process = await asyncio.create_subprocess_exec(
        OPENSTACK,
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"},
        limit=LONGEST_ANSWER,
    )
    try:
        yield OpenStackShell(process)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_LIMIT)
