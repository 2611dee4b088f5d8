"""Programs that are run to their end, with bounds on their time and on what they say."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cumulet.lib.process.conditions import TAIL, Limits, ProcessFailed, ProcessTimedOut, User, environment, wrapped

_KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that has ended."""

    status: int
    """Exit status, or minus the signal that ended it."""
    stdout: bytes
    stderr: bytes
    """Its newest part only."""


async def run(
    argv: Sequence[str],
    *,
    timeout: float,
    input: bytes | None = None,
    limits: Limits | None = None,
    user: User | None = None,
    net_namespace: str | None = None,
    check: bool = True,
    output_limit: int = 1 << 20,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Completed:
    """Run a program to its end; it is dead when this returns, however it returns. It begins in `folder`.

    Raises `ProcessFailed` for a bad status (unless `check=False`), a flood of output, or a program that is not there;
    `ProcessTimedOut` when it is too slow.
    """
    try:
        child = await asyncio.create_subprocess_exec(
            *wrapped(argv, limits=limits, user=user, net_namespace=net_namespace),
            stdin=asyncio.subprocess.PIPE if input is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**environment(), **(env or {})},
            cwd=folder,
        )
    except OSError as error:
        raise ProcessFailed(argv, f"cannot be started: {error.strerror}") from error
    assert child.stdout is not None
    assert child.stderr is not None
    stderr = asyncio.ensure_future(_tail(child.stderr))
    try:
        async with asyncio.timeout(timeout):
            _, stdout = await asyncio.gather(_feed(child.stdin, input), _collect(child.stdout, output_limit))
            words = await stderr
            status = await child.wait()
    except TimeoutError:
        raise ProcessTimedOut(argv, f"did not end within {timeout:g} s and was killed") from None
    except OverflowError:
        raise ProcessFailed(argv, f"wrote more than {output_limit} bytes and was killed") from None
    finally:
        stderr.cancel()
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await asyncio.wait({stderr})
            # The loop tells of its end only once both pipes are empty, and a full one is not read by itself.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KILL_SECONDS):
                    await asyncio.gather(_drained(child.stdout), _drained(child.stderr), child.wait())
    if check and status != 0:
        raise ProcessFailed(argv, f"ended with status {status}", words, status)
    return Completed(status=status, stdout=stdout, stderr=words)


async def _feed(stdin: asyncio.StreamWriter | None, data: bytes | None) -> None:
    if stdin is None or data is None:
        return
    # A program that ends before it has read everything says why by its status.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(data)
        await stdin.drain()
    stdin.close()


async def _collect(stream: asyncio.StreamReader, limit: int) -> bytes:
    whole = bytearray()
    while piece := await stream.read(1 << 16):
        whole += piece
        if len(whole) > limit:
            raise OverflowError
    return bytes(whole)


async def _drained(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass


async def _tail(stream: asyncio.StreamReader) -> bytes:
    newest = b""
    while piece := await stream.read(1 << 14):
        newest = (newest + piece)[-2 * TAIL :]
    return newest
