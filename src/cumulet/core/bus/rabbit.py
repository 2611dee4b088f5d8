"""Wake-ups between several processes, over RabbitMQ.

Whoever wakes is heard in its own process at once, and by the others a moment later. Messages are transient, and what
cannot be sent soon is dropped: sweeps find what a lost wake-up would have told.
"""

from __future__ import annotations

import asyncio
import logging
import os

import aio_pika
import msgspec
from aio_pika.abc import AbstractIncomingMessage
from pamqp.common import FieldTable

from cumulet.core.bus.memory import Listener, MemoryBus
from cumulet.lib.clock import Clock

log = logging.getLogger("cumulet.bus")

EXCHANGE = "cumulet.wakes"
WAITING, BATCH = 10_000, 500
"""Wake-ups kept while the broker is away; wake-ups in one message."""
FIRST_DELAY, LONGEST_DELAY = 0.2, 10.0
CONNECT_SECONDS, PUBLISH_SECONDS, HEARTBEAT_SECONDS = 10.0, 10.0, 10
UNREAD = 1000
"""Messages the broker keeps for a process that does not read; the oldest go first."""

Wake = tuple[str, str]


class RabbitBus:
    """Fulfils Bus. `run` carries; without it, it is a bus of this process alone."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._local = MemoryBus()
        self._sender = os.urandom(8).hex()
        self._waiting: dict[Wake, None] = {}
        self._stir = asyncio.Event()
        self.connected = asyncio.Event()

    def wake(self, topic: str, key: str) -> None:
        self._local.wake(topic, key)
        if len(self._waiting) < WAITING:
            self._waiting[topic, key] = None
            self._stir.set()

    def listen(self, topic: str, listener: Listener) -> None:
        self._local.listen(topic, listener)

    async def run(self) -> None:
        """Carry wake-ups to and from the broker for ever; come back whenever it does."""
        delay = FIRST_DELAY
        while True:
            try:
                await self._carry()
            except Exception as error:  # whatever the broker does, the cloud goes on without it
                if self.connected.is_set():
                    delay = FIRST_DELAY
                self.connected.clear()
                log.warning(
                    "RabbitMQ cannot be used (%s); trying again in %.1f s", error or type(error).__name__, delay
                )
            await self._clock.sleep(delay)
            delay = min(LONGEST_DELAY, delay * 2)

    async def _carry(self) -> None:
        connection = await aio_pika.connect(self._url, timeout=CONNECT_SECONDS, heartbeat=HEARTBEAT_SECONDS)
        async with connection:
            channel = await connection.channel(publisher_confirms=False)
            exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.FANOUT, durable=False)
            bounds: FieldTable = {"x-max-length": UNREAD, "x-overflow": "drop-head"}
            queue = await channel.declare_queue(exclusive=True, auto_delete=True, arguments=bounds)
            await queue.bind(exchange)
            await queue.consume(self._hear, no_ack=True)
            closed = asyncio.ensure_future(connection.closed())
            self.connected.set()
            try:
                while not closed.done():
                    await self._publish(exchange)
                    stir = asyncio.ensure_future(self._stir.wait())
                    try:
                        await asyncio.wait((stir, closed), return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        stir.cancel()
            finally:
                closed.cancel()
        raise ConnectionError("the connection was closed")

    async def _publish(self, exchange: aio_pika.abc.AbstractExchange) -> None:
        self._stir.clear()
        while self._waiting:
            batch = list(self._waiting)[:BATCH]
            for wake in batch:
                del self._waiting[wake]
            body = msgspec.json.encode((self._sender, batch))
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.NOT_PERSISTENT)
            await exchange.publish(message, routing_key="", timeout=PUBLISH_SECONDS)

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        try:
            sender, wakes = msgspec.json.decode(message.body, type=tuple[str, list[Wake]])
        except msgspec.DecodeError as error:
            log.warning("a message that is not ours is ignored: %s", error)
            return
        if sender != self._sender:
            for topic, key in wakes:
                self._local.wake(topic, key)
