"""What a test run stands on: a database that keeps a row, a bus that delivers a message."""

from __future__ import annotations

import asyncio
import sqlite3
from urllib.parse import urlsplit

import aio_pika
import asyncmy
import asyncpg
import pytest

from tests.support.patience import HANG_SECONDS

CREATE = "CREATE TABLE words (word VARCHAR(20) PRIMARY KEY)"
INSERT = "INSERT INTO words VALUES ('cumulet')"
SELECT = "SELECT word FROM words"
DROP = "DROP TABLE words"


async def words_kept_by_postgresql(url: str) -> list[str]:
    connection = await asyncpg.connect(url, timeout=HANG_SECONDS)
    try:
        for statement in (CREATE, INSERT):
            await connection.execute(statement)
        rows = await connection.fetch(SELECT)
        await connection.execute(DROP)
    finally:
        await connection.close()
    return [row["word"] for row in rows]


async def words_kept_by_mariadb(url: str) -> list[str]:
    parts = urlsplit(url)
    connection = await asyncmy.connect(
        host=parts.hostname, port=parts.port, user=parts.username, password=parts.password, db=parts.path[1:]
    )
    async with connection, connection.cursor() as cursor:
        for statement in (CREATE, INSERT, SELECT):
            await cursor.execute(statement)
        rows = await cursor.fetchall()
        await cursor.execute(DROP)
    return [row[0] for row in rows]


async def words_kept_by_sqlite(url: str) -> list[str]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        for statement in (CREATE, INSERT):
            connection.execute(statement)
        rows = connection.execute(SELECT).fetchall()
        connection.execute(DROP)
    finally:
        connection.close()
    return [row[0] for row in rows]


@pytest.mark.db
async def test_the_database_of_this_run_keeps_a_row(database_url: str) -> None:
    keep = {
        "postgresql": words_kept_by_postgresql,
        "mysql": words_kept_by_mariadb,
        "sqlite": words_kept_by_sqlite,
    }[urlsplit(database_url).scheme]

    assert await asyncio.wait_for(keep(database_url), HANG_SECONDS) == ["cumulet"]


@pytest.mark.db
async def test_the_bus_of_this_run_delivers_a_message(bus_url: str) -> None:
    if urlsplit(bus_url).scheme == "memory":
        assert bus_url == "memory:", "there is nobody to address inside one process"
        return
    async with asyncio.timeout(HANG_SECONDS):
        connection = await aio_pika.connect(bus_url)
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(exclusive=True)
            await channel.default_exchange.publish(aio_pika.Message(b"wake"), routing_key=queue.name)
            message = await queue.get(timeout=HANG_SECONDS)

    assert message is not None
    assert message.body == b"wake"
