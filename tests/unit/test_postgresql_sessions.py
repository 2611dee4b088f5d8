"""Which sessions with PostgreSQL are lent again, and what is done when one is silent or outdated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from cumulet.core.db import Database, Transaction
from cumulet.core.db.backends.postgresql import CONNECTIONS, REST_SECONDS, PostgresqlBackend, Sessions
from cumulet.core.db.engine import Collision
from cumulet.services.identity.tokens.revocations import EpochRow


class Session:
    """As much of asyncpg's as is used."""

    def __init__(self, answers: Callable[[], Awaitable[str]]) -> None:
        self._answers = answers
        self._in_transaction = False
        self.ended = False
        self.did: list[str] = []

    async def execute(self, text: str, *values: Any) -> str:
        return await self._answers()

    def transaction(self, isolation: str) -> Session:
        return self

    async def start(self) -> None:
        self._in_transaction = True

    async def commit(self) -> None:
        self._in_transaction = False
        self.did.append("commit")

    async def rollback(self) -> None:
        self._in_transaction = False
        self.did.append("rollback")

    def is_in_transaction(self) -> bool:
        return self._in_transaction

    def is_closed(self) -> bool:
        return self.ended

    def terminate(self) -> None:
        self.ended = True

    async def close(self, timeout: float) -> None:
        self.ended = True


async def _one() -> str:
    return "INSERT 0 1"


class Server(Sessions):
    """Sessions with a server that is simulated."""

    def __init__(self) -> None:
        super().__init__("", lambda: self.seconds)
        self.seconds = 0.0
        self.begun: list[Session] = []
        self.answers: Callable[[], Awaitable[str]] = _one

    async def connect(self) -> Session:
        session = Session(lambda: self.answers())
        self.begun.append(session)
        return session


async def _insert(tx: Transaction) -> None:
    await tx.insert(EpochRow("one", 1))


async def _all_at_once(server: Server) -> None:
    async def borrow() -> None:
        async with server.lent():
            await asyncio.sleep(0)

    await asyncio.gather(*(borrow() for _ in range(CONNECTIONS)))


async def test_a_session_is_lent_again_until_it_rested_for_too_long() -> None:
    server = Server()
    database = Database(PostgresqlBackend(server))
    await database.write(_insert)
    server.seconds += REST_SECONDS
    await database.write(_insert)
    assert [session.did for session in server.begun] == [["commit", "commit"]]
    server.seconds += REST_SECONDS + 1
    await database.write(_insert)
    assert [session.ended for session in server.begun] == [True, False]


async def test_when_a_server_is_silent_only_those_who_ask_just_then_wait_for_it() -> None:
    server = Server()
    await _all_at_once(server)
    assert len(server.begun) == CONNECTIONS

    async def silent() -> str:
        raise TimeoutError

    server.answers = silent
    database = Database(PostgresqlBackend(server))
    with pytest.raises(TimeoutError):
        await database.write(_insert)
    assert all(session.ended for session in server.begun)
    server.answers = _one
    await database.write(_insert)
    assert len(server.begun) == CONNECTIONS + 1


async def test_work_whose_statement_a_migration_outdated_is_done_again() -> None:
    server, outdated = Server(), [asyncpg.InvalidCachedStatementError("cached plan must not change result type")]

    async def once() -> str:
        if outdated:
            raise outdated.pop()
        return await _one()

    server.answers = once
    await Database(PostgresqlBackend(server)).write(_insert)
    assert [session.did for session in server.begun] == [["rollback", "commit"]]


async def test_work_that_collides_for_ever_is_given_up() -> None:
    server = Server()

    async def never() -> str:
        raise asyncpg.SerializationError("could not serialize access")

    server.answers = never
    with pytest.raises(Collision):
        await Database(PostgresqlBackend(server)).write(_insert)
