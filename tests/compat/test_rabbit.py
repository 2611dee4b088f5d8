"""Wake-ups between processes, over a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cumulet.core.bus.rabbit import RabbitBus
from cumulet.lib.clock import SystemClock
from tests.support.patience import HANG_SECONDS
from tests.support.servers import free_port, rabbitmq


@asynccontextmanager
async def carried(url: str) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(url, SystemClock())
    task = asyncio.ensure_future(bus.run())
    try:
        yield bus
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_without_a_broker_wakes_stay_in_the_process() -> None:
    heard: list[str] = []
    async with carried(f"amqp://127.0.0.1:{free_port()}/") as bus:
        bus.listen("server", heard.append)
        bus.wake("server", "a")
        assert heard == ["a"]  # at once, before anything has been sent
        assert not bus.connected.is_set()


async def test_each_process_hears_all_the_others_and_itself_once() -> None:
    with rabbitmq() as url:
        async with carried(url) as first, carried(url) as second, asyncio.timeout(HANG_SECONDS):
            await first.connected.wait()
            await second.connected.wait()
            here: list[str] = []
            there: asyncio.Queue[str] = asyncio.Queue()
            first.listen("server", here.append)
            second.listen("server", there.put_nowait)
            second.listen("volume", lambda key: there.put_nowait(f"wrong {key}"))

            for number in range(1200):
                first.wake("server", str(number))
            assert len(here) == 1200
            assert [await there.get() for _ in range(1200)] == [str(number) for number in range(1200)]

            back = asyncio.Event()
            first.listen("server", lambda key: back.set())
            second.wake("server", "back")
            await back.wait()
            assert here[1200:] == ["back"]
            assert await there.get() == "back"
            assert there.empty()
