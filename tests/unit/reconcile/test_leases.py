"""Shards shared by several processes over one database."""

from __future__ import annotations

import pytest

from cumulet.core.db import Database
from cumulet.core.db.backends.sqlite import SqliteBackend
from cumulet.core.reconcile.leases import SHARDS, TERM, LeaseRow, Leases, shard_of
from cumulet.lib.clock import SECOND
from tests.support.clock import JumpingClock
from tests.support.virtual_time import VirtualClock, run_virtually

KEYS = {shard_of(str(number)): str(number) for number in range(2000)}


def held(leases: Leases) -> set[int]:
    return {shard for shard, key in KEYS.items() if leases.owns(key)}


async def fences(database: Database) -> list[int]:
    async with database.read() as tx:
        return [row.fence for row in await tx.find(LeaseRow, order_by="shard")]


@pytest.mark.db
async def test_two_processes_share_and_a_dead_ones_shards_are_taken_after_its_term(database: Database) -> None:
    clock = JumpingClock()
    first, second = Leases(database, clock, "first"), Leases(database, clock, "second")

    await first.renew()
    assert held(first) == set(range(SHARDS))

    await second.renew()  # asks for a share; there is nothing free yet
    assert held(second) == set()
    await first.renew()
    await second.renew()
    assert len(held(first)) == len(held(second)) == SHARDS // 2

    clock.jump(TERM / SECOND - 1)
    assert held(second) == set()  # it stops by itself before anybody else may begin
    await first.renew()
    assert len(held(first)) == SHARDS // 2

    clock.jump(2)
    await first.renew()
    assert held(first) == set(range(SHARDS))
    assert sum(await fences(database)) == 2 * SHARDS  # each half has been elsewhere once


@pytest.mark.db
async def test_what_is_handed_back_is_taken_at_once(database: Database) -> None:
    clock = JumpingClock()
    first, second = Leases(database, clock, "first"), Leases(database, clock, "second")
    await first.renew()
    await first.release()
    await second.renew()

    assert held(first) == set()
    assert held(second) == set(range(SHARDS))


@pytest.mark.db
async def test_who_comes_later_gets_his_share(database: Database) -> None:
    clock = JumpingClock()
    first, second = Leases(database, clock, "first"), Leases(database, clock, "second")
    for _ in range(3):
        await first.renew()
        await second.renew()
        assert not held(first) & held(second)

    assert len(held(first)) == len(held(second)) == SHARDS // 2
    before = await fences(database)
    await first.renew()
    assert await fences(database) == before  # what is kept changes no hands


def test_an_hour_of_renewals_and_a_death() -> None:
    async def story(clock: VirtualClock) -> None:
        import asyncio

        database = Database(SqliteBackend(":memory:"))
        await database.create_tables()
        first, second = Leases(database, clock, "first"), Leases(database, clock, "second")
        running = [asyncio.ensure_future(leases.run()) for leases in (first, second)]
        for _ in range(720):
            await clock.sleep(5)
            assert not held(first) & held(second)
        assert len(held(first)) == len(held(second)) == SHARDS // 2

        running[0].cancel()  # nothing is handed back
        await clock.sleep(25)
        assert held(second) == set(range(SHARDS))
        assert held(first) == set()
        running[1].cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await database.close()

    run_virtually(story)
