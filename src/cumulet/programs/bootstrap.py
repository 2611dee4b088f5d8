"""`cumulet bootstrap`: what a cloud begins with, made before anybody is served."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from cumulet.programs.laptop.processes import in_force
from cumulet.programs.locks import AlreadyRunning, hold
from cumulet.programs.settings import Settings


@click.command()
@click.option("--state", type=click.Path(path_type=Path), help="The directory that holds the cloud.")
def bootstrap(state: Path | None) -> None:
    """Make what a young cloud has, or what is missing of it: tables, keys, users, roles, catalogue, flavors, networks.

    The cloud does so itself at every start; this command is for those who want it done before. What is there stays as
    it is, but the addresses in the catalogue follow the settings. Doing it again changes nothing.
    """
    settings = in_force(state)
    os.umask(0o077)
    try:
        lock = hold(settings.state / "run" / "serve.lock")
    except AlreadyRunning:
        click.echo("The API of this cloud runs, and has done this when it started.")
        return
    with lock:
        asyncio.run(_bootstrap(settings))
    click.echo(f"The cloud in {settings.state} is ready to be served at {settings.url}.")


async def _bootstrap(settings: Settings) -> None:
    from cumulet.core.bus import MemoryBus
    from cumulet.core.db import Database
    from cumulet.core.db.connect import connect
    from cumulet.lib.clock import SystemClock
    from cumulet.programs.cloud import Cloud
    from cumulet.programs.migrate import bring_up_to_date

    bus, clock = MemoryBus(), SystemClock()
    try:
        backend = await connect(settings.database_url)
    except Exception as error:  # each database's library has errors of its own
        sys.exit(f"cumulet: the database cannot be opened: {type(error).__name__}: {error}. See --database.")
    database = Database(backend, wake=bus.wake, clock=clock)
    try:
        await bring_up_to_date(database)
        await Cloud(settings, database, bus, clock).seed()
    finally:
        await database.close()
