"""`cumulet serve`: the API and the reconcilers in one process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import click

from cumulet.programs.locks import AlreadyRunning, hold
from cumulet.programs.logs import log_to_stderr
from cumulet.programs.settings import Settings, load

log = logging.getLogger("cumulet.serve")

BACKLOG = 1024
LARGEST_HEADERS = 64 * 1024


@click.command()
def serve() -> None:
    """Run the API and the reconcilers in the foreground. Settings come from the environment and CUMULET_CONFIG."""
    settings = load({}, os.environ)
    log_to_stderr(settings.log_level)
    os.umask(0o077)  # what this process keeps is for nobody else's eyes
    try:
        lock = hold(settings.state / "run" / "serve.lock")
    except AlreadyRunning as error:
        sys.exit(f"cumulet: the API of this cloud runs already: {error}")
    import uvloop

    with lock:
        uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from cumulet.core.db import Database
    from cumulet.core.db.connect import connect
    from cumulet.lib.clock import SystemClock
    from cumulet.programs.cloud import Cloud
    from cumulet.programs.migrate import bring_up_to_date
    from cumulet.programs.several import Several, carry

    # The socket is there before the rooms are: whoever connects early waits a moment instead of being refused.
    sockets = [_listen(settings)]
    if settings.mode != "simulate":  # whose nodes live in this process
        sockets.append(_listen_locally(settings.socket))
    clock = SystemClock()
    bus, carrying = carry(settings, clock)
    try:
        backend = await connect(settings.database_url)
    except ModuleNotFoundError as error:
        remedy = f"{sys.executable} -m ensurepip; {sys.executable} -m pip install {error.name}"
        sys.exit(f"cumulet: this database needs the library {error.name}, which is not here. Run: {remedy}")
    except Exception as error:  # each database's library has errors of its own
        sys.exit(f"cumulet: the database cannot be opened: {type(error).__name__}: {error}. See --database.")
    database = Database(backend, wake=bus.wake, clock=clock)
    await bring_up_to_date(database)
    several = Several(settings, database, clock)
    cloud = Cloud(settings, database, bus, clock, shards=several.shards, sweep_seconds=several.sweep_seconds)
    await cloud.seed()
    await several.begin()
    work = [*(loop.run() for loop in cloud.loops), cloud.background(), *carrying, *several.work()]
    if settings.mode == "simulate":
        from cumulet.programs.simulate import SimulatedNode, World
        from cumulet.programs.simulated_volumes import VolumeWorlds, Worlds

        shared: Worlds = {}
        for number in range(settings.simulated_nodes):
            world = World(clock, VolumeWorlds(settings.volumes, shared))
            work.append(SimulatedNode(cloud, f"sim{number + 1}", world).run())
    tasks = [asyncio.ensure_future(one) for one in (_answer(cloud, sockets), *work)]
    # The first to end is mostly the server, told to stop. Should a reconciler break, the whole process ends, so that
    # whoever watches over it starts a sound one.
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await several.end()
    for task in done:
        task.result()
    await database.close()


async def _answer(cloud: object, sockets: list[socket.socket]) -> None:
    """Answer requests until a signal says to stop."""
    import uvicorn

    from cumulet.programs.protocol import Protocol

    config = uvicorn.Config(
        cloud.app,  # type: ignore[attr-defined]
        http=Protocol,
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=2,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    await server._serve(sockets=sockets)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        sys.exit(f"cumulet: port {settings.port} of {settings.host} cannot be used: {error.strerror}. Choose another.")
    listener.listen(BACKLOG)
    return listener


def _listen_locally(path: Path) -> socket.socket:
    """The unix socket at which this host's own node reaches the API."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
    except OSError as error:  # the kernel takes no more than 107 bytes of path
        sys.exit(f"cumulet: the socket {path} cannot be made: {error}. Choose another, shorter state directory.")
    path.chmod(0o600)
    listener.listen(BACKLOG)
    return listener


@click.command()
def node_token() -> None:
    """Issue a token with which one node may join: cumulet node --join URL --token TOKEN."""
    settings = load({}, os.environ)

    async def issue() -> str:
        from cumulet.core.access.rules import Rules
        from cumulet.core.bus import MemoryBus
        from cumulet.core.db import Database
        from cumulet.core.db.connect import connect
        from cumulet.lib.clock import SystemClock
        from cumulet.services.fleet.nodes import issue_join_token
        from cumulet.services.fleet.room import Fleet

        database = Database(await connect(settings.database_url))
        fleet = Fleet(database=database, bus=MemoryBus(), clock=SystemClock(), rules=Rules({}))
        try:
            return await issue_join_token(fleet)
        finally:
            await database.close()

    click.echo(asyncio.run(issue()))
