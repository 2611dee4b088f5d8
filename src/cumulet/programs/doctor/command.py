"""`cumulet doctor`."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import click

from cumulet.programs.doctor import cloud, machine, volumes
from cumulet.programs.doctor.finding import Finding, page
from cumulet.programs.host import namespace_of
from cumulet.programs.laptop import processes
from cumulet.programs.laptop.mode import choose
from cumulet.programs.settings import Settings


@click.command()
@click.option("--state", type=click.Path(path_type=Path), help="The directory that holds the cloud.")
@click.option(
    "--mode",
    "asked",
    type=click.Choice(["real", "rootless", "simulate"]),
    help="Judge for this way of running; else for the one that 'cumulet up' would choose here.",
)
def doctor(state: Path | None, asked: str | None) -> None:
    """Check every prerequisite, and name the remedy for what is missing.

    \b
    ok       it works; it was tried, not only found
    note     it does not, and the cloud runs without it
    MISSING  the cloud does not start without it; the exit code is 1 then

    There are three ways of running. 'real' has real servers and networks and needs root. 'rootless' has them inside
    namespaces of an ordinary user. 'simulate' needs nothing but Python: its servers only pretend. Nothing is changed
    by this command.
    """
    logging.disable(logging.WARNING)
    settings = processes.in_force(state)
    choice = choose(asked or settings.mode)
    findings = asyncio.run(examine(settings))
    for line in page(findings, choice.mode):
        click.echo(line)
    stopping = [finding for finding in findings if finding.stops(choice.mode)]
    click.echo(f"\nMode {choice.mode} ({choice.reason}): {f'{len(stopping)} missing' if stopping else 'ready'}.")
    if choice.remedy:
        click.echo(f"For real servers: {choice.remedy}")
    if stopping:
        sys.exit(1)


async def examine(settings: Settings) -> list[Finding]:
    """Every check."""
    running = processes.running(settings.state, "serve")
    address = f"{settings.host}:{settings.port}"
    return [
        machine.python(),
        machine.system(),
        *machine.programs(),
        *machine.extras(),
        await machine.acceleration(),
        machine.namespaces(),
        machine.tun(),
        *await machine.network(namespace_of(settings)),
        *await volumes.backends(settings.volumes),
        machine.memory(),
        machine.disk(settings.state),
        Finding("Port", True, f"{address} is this cloud's own")
        if running
        else machine.port(settings.host, settings.port),
        *await cloud.database(settings),
        *cloud.policies(settings),
    ]
