"""Bringing the database to this version's schema."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import click
import sqlalchemy as sa

import cumulet.migrations
from cumulet.core.db import Database, Query, Transaction
from cumulet.programs.settings import SettingsError, load

LOCK, LOCK_SECONDS = 0x63756D75, 60
"""Of several processes that start at once, one changes the schema."""

_VERSION = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""As Alembic makes it."""
_READ = Query(sa.select(_VERSION.c.version_num))
_FIND = {
    "sqlite": Query(sa.text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'")),
    "postgresql": Query(
        sa.text(
            "SELECT 1 FROM information_schema.tables "
            "WHERE table_schema = current_schema() AND table_name = 'alembic_version'"
        )
    ),
    "mysql": Query(
        sa.text(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = database() AND table_name = 'alembic_version'"
        )
    ),
}


class TooNew(SettingsError):
    """The database belongs to a later version of the program."""


async def bring_up_to_date(database: Database) -> str:
    """Make the tables of a new database, or take an older one forward; what was done, empty for nothing."""
    newest = _versions()[-1]
    async with database.read() as tx:
        if await version(tx) == newest:
            return ""

    async def bring(tx: Transaction) -> str:
        async with _alone(tx):
            found = await version(tx)  # somebody else may have been faster
            if found == newest:
                return ""
            if not found:
                await _make(tx, newest)
                return f"made at version {newest}"
            await _take_forward(tx, found, newest)
            return f"taken from version {found} to {newest}"

    return await database.write(bring)


@cache
def _versions() -> list[str]:
    """The numbers of the steps, from the names of their files: reading them costs nothing."""
    folder = Path(cumulet.migrations.__file__).with_name("versions")
    return sorted(file.name.partition("_")[0] for file in folder.glob("[0-9]*.py"))


async def version(tx: Transaction) -> str:
    """The version that the database is at; empty before its first one."""
    if await tx.scalar(_FIND[tx.dialect]) is None:
        return ""
    return str(await tx.scalar(_READ) or "")


async def _make(tx: Transaction, newest: str) -> None:
    """All at once: faster than going through every step, and the same in the end. An interrupted beginning goes on."""
    import cumulet.core.reconcile.leases
    import cumulet.programs.cloud  # noqa: F401 - together they declare every table
    from cumulet.core.db.engine import make_tables

    await make_tables(tx)
    await tx.define(sa.schema.CreateTable(_VERSION, if_not_exists=True))
    await tx.execute(Query(sa.delete(_VERSION)))
    await tx.execute(Query(sa.insert(_VERSION).values(version_num=sa.bindparam("to"))), {"to": newest})


async def _take_forward(tx: Transaction, found: str, newest: str) -> None:
    if found not in _versions():
        raise TooNew(
            f"the database is at version {found}, and this program knows none after {newest}; "
            "start the newer program that has last used it"
        )
    from cumulet.migrations.statements import upgrade

    for statement in upgrade(tx.dialect, found, newest):
        await tx.define(sa.DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]


@asynccontextmanager
async def _alone(tx: Transaction) -> AsyncIterator[None]:
    """Nobody else changes the schema meanwhile. SQLite's transactions are alone in any case."""
    if tx.dialect == "postgresql":
        await tx.scalar(Query(sa.select(sa.cast(sa.func.pg_advisory_xact_lock(LOCK), sa.Text))))
        yield
    elif tx.dialect == "mysql":
        got = await tx.scalar(Query(sa.select(sa.func.get_lock(str(LOCK), LOCK_SECONDS))))
        if not got:
            raise TimeoutError(f"another process has been changing the schema for {LOCK_SECONDS} s")
        try:
            yield
        finally:
            await tx.scalar(Query(sa.select(sa.func.release_lock(str(LOCK)))))
    else:
        yield


@click.command()
def migrate() -> None:
    """Bring the database to this version's schema.

    The cloud does so by itself when it starts; this command is for those who want it done before. Settings come from
    the environment and CUMULET_CONFIG: CUMULET_DATABASE=postgresql://… cumulet migrate
    """
    settings = load({}, os.environ)

    async def run() -> str:
        from cumulet.core.db.connect import connect

        settings.state.mkdir(parents=True, exist_ok=True)
        database = Database(await connect(settings.database_url))
        try:
            return await bring_up_to_date(database)
        finally:
            await database.close()

    done = asyncio.run(run())
    click.echo(f"The schema is up to date: {done}." if done else "The schema is up to date; nothing was to be done.")
