"""A database for one test: empty, with every table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import sqlalchemy as sa

from cumulet.core.db import METADATA, Database, Query
from cumulet.core.db.connect import connect


@asynccontextmanager
async def empty_database(
    url: str, wake: Callable[[str, str], None] = lambda topic, key: None
) -> AsyncIterator[Database]:
    """SQLite is made anew in memory; on a server the tables are made once and emptied."""
    database = Database(await connect("sqlite://" if url.startswith("sqlite") else url), wake=wake)
    try:
        await database.create_tables()
        if not url.startswith("sqlite"):
            for table in METADATA.sorted_tables:
                await database.write(lambda tx, table=table: tx.execute(Query(sa.delete(table))))  # type: ignore[misc]
        yield database
    finally:
        await database.close()
