"""Bringing the database to this version's schema."""

from __future__ import annotations

import asyncio
import os

import click

from cumulet.core.db import Database
from cumulet.programs.settings import load


async def bring_up_to_date(database: Database) -> None:
    """Make what is missing."""
    import cumulet.programs.cloud  # noqa: F401 - declares every table

    await database.create_tables()


@click.command()
def migrate() -> None:
    """Bring the database to this version's schema."""
    settings = load({}, os.environ)

    async def run() -> None:
        from cumulet.core.db.connect import connect

        database = Database(await connect(settings.database_url))
        try:
            await bring_up_to_date(database)
        finally:
            await database.close()

    asyncio.run(run())
    click.echo("The schema is up to date.")
