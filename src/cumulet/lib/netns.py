"""Do a small thing inside a named network namespace without leaving one's own."""

from __future__ import annotations

import asyncio
import ctypes
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from cumulet.lib.process import net_namespace_path

_CLONE_NEWNET = 0x40000000
_SECONDS = 30.0
_libc = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")


async def inside(namespace: str, act: Callable[[], T]) -> T:
    """What `act` returns when it runs in that namespace: open a socket (which stays there), write below /proc/sys/net.

    A thread may change its namespace, a process with others should not: so a thread of its own, made for this call
    and ended with it, never one of a pool that somebody else uses next. `act` must not block.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]

    def enter_and_act() -> None:
        try:
            _enter(namespace)
            result, error = act(), None
        except Exception as raised:
            result, error = None, raised
        loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=enter_and_act, name=f"netns {namespace}", daemon=True).start()
    return await asyncio.wait_for(answer, _SECONDS)


def _enter(namespace: str) -> None:
    descriptor = os.open(net_namespace_path(namespace), os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)
    finally:
        os.close(descriptor)
