"""`cumulet node` and its flags."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from cumulet.programs.locks import AlreadyRunning, hold
from cumulet.programs.logs import log_to_stderr
from cumulet.programs.node.halt import shut_down
from cumulet.programs.node.run import run
from cumulet.programs.settings import load


@click.command()
@click.option("--join", "url", help="The URL of the cloud to join, such as http://controller:5000.")
@click.option("--token", help="A token from 'cumulet node-token'.")
@click.option("--name", help="This node's name; the host's name unless told otherwise.")
@click.option("--state", type=click.Path(path_type=Path), help="The directory that holds this node's machines.")
@click.option("--tunnel-address", help="Where this node receives the traffic of networks that span nodes.")
@click.option("--address", help="host:port at which the cloud can ask this node questions.")
@click.option("--wire", "wires", multiple=True, help="NAME=INTERFACE: what leads to the physical network NAME.")
@click.option("--halt", is_flag=True, help="Shut down what a node that ended has left running here.")
def node(
    url: str | None,
    token: str | None,
    name: str | None,
    state: Path | None,
    tunnel_address: str | None,
    address: str | None,
    wires: tuple[str, ...],
    halt: bool,
) -> None:
    """Run the node agent in the foreground; with --join, as a part of the cloud at that URL."""
    flags = {
        "state_dir": str(state.absolute()) if state else None,
        "node_name": name,
        "tunnel_address": tunnel_address,
        "node_address": address,
        "wires": dict(_pair(wire) for wire in wires) or None,
    }
    settings = load(flags, os.environ)
    log_to_stderr(settings.log_level)
    try:
        lock = hold(settings.state / "run" / "node.lock")
    except AlreadyRunning as error:
        sys.exit(f"cumulet: the node of this cloud runs already: {error}")
    with lock:
        asyncio.run(shut_down(settings) if halt else run(settings, url or f"unix:{settings.socket}", token))


def _pair(wire: str) -> tuple[str, str]:
    physical, _, interface = wire.partition("=")
    return physical, interface
