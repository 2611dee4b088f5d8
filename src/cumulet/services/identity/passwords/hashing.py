"""Hashing beside the event loop, in few threads, with a bound on those who wait."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TypeVar

from cumulet.core.errors import Unavailable
from cumulet.services.identity.passwords.formats import hash_password, is_password

T = TypeVar("T")
MOST_WAITING = 256


class Hasher:
    """Makes and checks stored passwords without holding up anyone else."""

    def __init__(self, log_n: int, threads: int) -> None:
        self._log_n = log_n
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._waiting = 0

    @cached_property
    def _nobody(self) -> str:
        """What the password of somebody who does not exist is held against: made when first needed, in a thread."""
        return hash_password("nobody has this password", self._log_n)

    async def hash(self, password: str) -> str:
        return await self._run(lambda: hash_password(password, self._log_n))

    async def check(self, password: str, stored: str) -> bool:
        """Is it the password? Without a stored one the same work is done, so that the time tells nothing."""
        right = await self._run(lambda: is_password(password, stored or self._nobody))
        return right and bool(stored)

    async def is_any(self, password: str, stored: list[str]) -> bool:
        """Is it one of several stored passwords?"""
        return bool(stored) and await self._run(lambda: any(is_password(password, one) for one in stored))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("Too many passwords are being checked at the moment. Try again in a few seconds.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def same_text(one: str, other: str) -> bool:
    """Compare two secrets without telling by time where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
