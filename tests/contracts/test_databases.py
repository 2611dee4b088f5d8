"""What every kind of database promises of a piece of work that is broken off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable

import pytest
import sqlalchemy as sa

from cumulet.core.db import Database, Duplicate, Query, Transaction
from cumulet.services.identity.tokens.revocations import EpochRow

pytestmark = pytest.mark.db

_ECHO = Query(sa.select(sa.bindparam("said", type_=sa.String)))
STEPS = 40


async def _broken_off_after(steps: int, work: Awaitable[object]) -> None:
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _said(database: Database, text: str) -> str:
    async with database.read() as tx:
        return str(await tx.scalar(_ECHO, {"said": text}))


async def test_a_question_that_was_broken_off_answers_nobody_else(database: Database) -> None:
    for steps in range(STEPS):
        await _broken_off_after(steps, _said(database, "given up"))
        assert await _said(database, f"after {steps}") == f"after {steps}"


async def test_a_change_that_was_broken_off_is_whole_or_nothing_and_holds_no_lock(database: Database) -> None:
    async def write(tx: Transaction) -> None:
        await tx.insert(EpochRow("one", 1))
        await tx.insert(EpochRow("two", 2))

    for steps in range(STEPS):
        await _broken_off_after(steps, database.write(write))
        async with database.read() as tx:
            assert len(await tx.find(EpochRow)) in (0, 2)
        await database.write(lambda tx: tx.delete(EpochRow))
        async with database.read() as tx:
            assert await tx.find(EpochRow) == []


async def test_a_refused_change_leaves_the_session_as_it_was(database: Database) -> None:
    async def twice(tx: Transaction) -> None:
        await tx.insert(EpochRow("one", 1))
        await tx.insert(EpochRow("one", 1))

    for _ in range(3):
        with pytest.raises(Duplicate):
            await database.write(twice)
    async with database.read() as tx:
        assert await tx.find(EpochRow) == []


async def test_more_borrowers_than_sessions_all_have_their_turn(database: Database) -> None:
    texts = [f"text {number}" for number in range(50)]
    assert await asyncio.gather(*(_said(database, text) for text in texts)) == texts
