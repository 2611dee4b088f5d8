"""One API process or several: who looks after which keys, and how they wake each other.

A database server may have several processes, so there each holds leases. RabbitMQ carries wake-ups between them;
without it they find each other's work by sweeping often.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine
from typing import Any

from cumulet.core.bus import Bus, MemoryBus
from cumulet.core.db import Database
from cumulet.core.reconcile import Shards
from cumulet.core.reconcile.loop import SWEEP_SECONDS
from cumulet.lib.clock import Clock
from cumulet.programs.settings import Settings, SettingsError

OFTEN = 1.0
RELEASE_SECONDS = 2.0

log = logging.getLogger("cumulet.serve")

Work = Coroutine[Any, Any, None]


def carry(settings: Settings, clock: Clock) -> tuple[Bus, list[Work]]:
    """The bus that the settings ask for, and what must run for it."""
    if not settings.bus or settings.bus == "memory:":
        return MemoryBus(), []
    if not settings.bus.startswith(("amqp://", "amqps://")):
        raise SettingsError(f"bus: {settings.bus!r} cannot be used; give amqp://… or leave it empty")
    try:
        from cumulet.core.bus.rabbit import RabbitBus
    except ImportError as error:
        raise SettingsError(f"bus: RabbitMQ needs a library ({error}): pip install 'cumulet[rabbitmq]'") from error
    bus = RabbitBus(settings.bus, clock)
    return bus, [bus.run()]


class Several:
    """This process among those that share its database; with SQLite it is alone and holds everything."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self.shards: Shards | None = None
        self.sweep_seconds = SWEEP_SECONDS
        self._leases = None
        if database.backend.dialect == "sqlite":
            return
        from cumulet.core.reconcile.leases import Leases

        holder = f"{socket.gethostname()[:30]}-{os.getpid()}-{os.urandom(4).hex()}"
        self.shards = self._leases = Leases(database, clock, holder)
        if not settings.bus:
            self.sweep_seconds = OFTEN

    async def begin(self) -> None:
        if self._leases is not None:
            await self._leases.renew()

    def work(self) -> list[Work]:
        return [self._leases.run()] if self._leases is not None else []

    async def end(self) -> None:
        """Hand everything back; a database that is away will see the leases run out."""
        if self._leases is None:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._leases.release()
        except Exception as error:
            log.warning("the leases could not be handed back: %s", error)
