"""The migrations lead to the tables that the rows declare, on every kind of database. If not: script/migration."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import cumulet.core.reconcile.leases
import cumulet.programs.cloud  # noqa: F401 - together they declare every table
from cumulet.core.db import Database, Query, Transaction
from cumulet.core.db.connect import connect
from cumulet.migrations.statements import script, upgrade
from cumulet.programs.migrate import TooNew, bring_up_to_date
from tests.support.patience import HANG_SECONDS

pytestmark = pytest.mark.db

TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1",
    "postgresql": "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1",
    "mysql": "SELECT table_name FROM information_schema.tables WHERE table_schema = database() ORDER BY 1",
}
SHAPE = {
    "sqlite": (
        'SELECT m.name, c.name, c.type, c."notnull", c.pk FROM sqlite_master m JOIN pragma_table_info(m.name) c '
        "WHERE m.type = 'table' ORDER BY 1, 2",
        'SELECT m.name, i.name, i."unique", i.origin, c.seqno, c.name FROM sqlite_master m '
        "JOIN pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c WHERE m.type = 'table' ORDER BY 1, 2, 5",
    ),
    "postgresql": (
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default "
        "FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2",
    ),
    "mysql": (
        "SELECT table_name, column_name, column_type, is_nullable, column_default, collation_name, extra "
        "FROM information_schema.columns WHERE table_schema = database() ORDER BY 1, 2",
        "SELECT table_name, index_name, non_unique, seq_in_index, column_name FROM information_schema.statistics "
        "WHERE table_schema = database() ORDER BY 1, 2, 4",
    ),
}


async def ask(database: Database, text: str) -> list[tuple[object, ...]]:
    async with database.read() as tx:
        return [tuple(row) for row in await tx.tuples(Query(sa.text(text)))]


async def shape(database: Database) -> list[tuple[object, ...]]:
    return [row for text in SHAPE[database.backend.dialect] for row in await ask(database, text)]


async def run(database: Database, statements: list[str]) -> None:
    async def define(tx: Transaction) -> None:
        for statement in statements:
            await tx.define(sa.DDL(statement))

    await database.write(define)


async def drop_everything(database: Database) -> None:
    names = [str(row[0]) for row in await ask(database, TABLES[database.backend.dialect])]
    await run(database, [f"DROP TABLE {name}" for name in names])


@pytest.fixture
async def bare(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without a single table."""
    sqlite = database_url.startswith("sqlite")
    opened = Database(await connect(f"sqlite:///{tmp_path}/bare.db" if sqlite else database_url))
    await drop_everything(opened)
    yield opened
    await drop_everything(opened)
    await opened.close()


async def test_the_migrations_lead_to_what_the_rows_declare(bare: Database) -> None:
    newest = script().get_current_head()
    await run(bare, upgrade(bare.backend.dialect, "", str(newest)))
    migrated = await shape(bare)
    assert await bring_up_to_date(bare) == ""

    await drop_everything(bare)
    assert await bring_up_to_date(bare) == f"made at version {newest}"
    made = await shape(bare)

    assert len(made) > 500
    assert set(migrated) ^ set(made) == set(), "the rows have changed: script/migration"


async def test_what_was_begun_is_finished_and_a_second_time_changes_nothing(bare: Database) -> None:
    await run(bare, ["CREATE TABLE core_leases (shard INTEGER PRIMARY KEY)"])

    assert await bring_up_to_date(bare) != ""
    assert await bring_up_to_date(bare) == ""


async def test_of_two_processes_that_start_at_once_one_makes_the_tables(bare: Database, database_url: str) -> None:
    if bare.backend.dialect == "sqlite":  # one process at a time, by its lock: here one after the other
        said = [await bring_up_to_date(bare), await bring_up_to_date(bare)]
    else:
        other = Database(await connect(database_url))
        try:
            said = list(await asyncio.gather(bring_up_to_date(bare), bring_up_to_date(other)))
        finally:
            await other.close()

    assert sorted(map(bool, said)) == [False, True]


async def test_a_database_of_a_newer_program_is_refused(bare: Database) -> None:
    await bring_up_to_date(bare)
    await run(bare, ["UPDATE alembic_version SET version_num = '9999'"])

    with pytest.raises(TooNew, match="version 9999"):
        await bring_up_to_date(bare)


def test_a_settled_database_is_recognised_without_alembic(tmp_path: Path) -> None:
    program = (
        "import sys; from cumulet.programs.migrate import migrate; migrate.main([], standalone_mode=False);"
        "print('alembic' in sys.modules, 'cumulet.programs.cloud' in sys.modules)"
    )
    environment = {"CUMULET_STATE_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            check=True,
        ).stdout
        for _ in range(2)
    ]

    assert "made at version" in said[0]
    assert said[0].endswith("False True\n")
    assert "nothing was to be done" in said[1]
    assert said[1].endswith("False False\n")
