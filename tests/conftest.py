"""The database and the bus of a test run: in this process unless told otherwise.

`pytest --database postgresql` and `--database mariadb` start the servers for the run; CUMULET_TEST_DATABASE_URL and
CUMULET_TEST_BUS_URL name servers that run already.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest
import pytest_asyncio

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.support import servers
from tests.support.databases import empty_database

TURN_SECONDS = 20.0

# How long an example takes says how busy this machine is, not whether the answer is right.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql", "mariadb"),
        default="sqlite",
        help="the kind of database below the tests; the server kinds run with RabbitMQ as the bus",
    )


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("CUMULET_TEST_DATABASE_URL")
    kind = request.config.getoption("--database")
    if given:
        yield given
    elif kind == "postgresql":
        with servers.postgresql() as url:
            yield url
    elif kind == "mariadb":
        with servers.mariadb() as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path_factory.mktemp('database')}/cumulet.db"


@pytest.fixture(scope="session")
def bus_url(request: pytest.FixtureRequest) -> Iterator[str]:
    given = os.environ.get("CUMULET_TEST_BUS_URL")
    if given:
        yield given
    elif request.config.getoption("--database") == "sqlite":
        yield "memory:"
    else:
        with servers.rabbitmq() as url:
            yield url


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest_asyncio.fixture
async def database(database_url: str, bus: MemoryBus) -> AsyncIterator[Database]:
    """An empty database whose commits wake this test's bus."""
    async with empty_database(database_url, bus.wake) as opened:
        yield opened


@pytest_asyncio.fixture(autouse=True)
async def nothing_runs_on() -> AsyncIterator[None]:
    """All tests share one event loop: what one leaves running in it would run in the next, and be destroyed at last."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        # What was told to end, or ends by itself, needs a turn of the loop.
        _, left = await asyncio.wait(left, timeout=TURN_SECONDS)
    assert not left, f"still running: {', '.join(sorted(str(task.get_coro()) for task in left))}"
