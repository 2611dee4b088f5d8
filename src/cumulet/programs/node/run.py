"""The agent of this host, from its drivers to the signal that ends it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys

from cumulet.drivers.hypervisor.qemu.probe import probe
from cumulet.drivers.network.linux import cables, sandbox
from cumulet.drivers.network.linux.commands import Commands
from cumulet.lib import process
from cumulet.lib.clock import SystemClock
from cumulet.node.agent import Agent
from cumulet.node.asks import AskServer
from cumulet.node.control_plane import HttpControlPlane
from cumulet.node.machines.belongings import HandedOn
from cumulet.node.machines.copies import DiskCopies
from cumulet.node.metadata.server import MetadataServer
from cumulet.node.passwords import FilePasswords
from cumulet.node.volumes.data import volume_data
from cumulet.programs.host import namespace_of, own_facts
from cumulet.programs.node.answers import answers, tunnels
from cumulet.programs.node.drivers import Drivers
from cumulet.programs.node.joining import secret_of
from cumulet.programs.node.users import machine_user
from cumulet.programs.settings import Settings


async def run(settings: Settings, url: str, token: str | None) -> None:
    clock = SystemClock()
    state = settings.state
    user = machine_user()
    abilities = await probe(state / "node", user=user)
    facts = own_facts(settings, abilities.accelerator, abilities.version)
    secret = await secret_of(settings, url, token, facts)
    control_plane = HttpControlPlane(url, facts.name, secret)

    namespace = namespace_of(settings)
    commands = Commands(process.run)
    if sandbox.is_rootless():
        await sandbox.prepare_rootless(commands)
    await sandbox.ensure_namespace(commands, namespace)
    await lay_wires(commands, namespace, settings)
    passwords = FilePasswords(state / "node" / "passwords")
    drivers = Drivers(
        settings,
        abilities,
        user,
        lambda image: control_plane.image(image.id),
        control_plane,
        HandedOn(control_plane, passwords.write),
    )
    network, hypervisor = drivers.network, drivers.hypervisor
    agent = Agent(
        control_plane=control_plane,
        clock=clock,
        facts=lambda: facts,
        hypervisor=hypervisor,
        network=network,
        backends=drivers.backends,
        metadata=lambda guests: MetadataServer(guests, passwords),
        metadata_places=network.metadata_places,
        turned=network.turned,
        forget_machine=passwords.clear,
    )
    asks = AskServer(
        facts.address,
        hashlib.sha256(secret.encode()).hexdigest(),
        clock,
        answers(hypervisor, network, drivers.backends, passwords),
        tunnels(hypervisor),
        {
            "snapshot": DiskCopies(hypervisor, state / "node" / "copies").copy,
            "volume": drivers.backends.copied,
        },
        {
            "luggage_file": lambda asked: hypervisor.luggage_file(
                asked["machine"], asked["name"], int(asked["offset"])
            ),
            "volume_file": drivers.backends.file,
            "volume_data": lambda asked: volume_data(drivers.backends, asked),
        },
    )
    ready = state / "run" / "node.ready"
    ready.write_text(str(os.getpid()))
    try:
        await _until_told(agent, asks)
    finally:
        ready.unlink(missing_ok=True)
        control_plane.close()


async def _until_told(agent: Agent, asks: AskServer) -> None:
    """Run until a signal says to stop. Machines and networks stay as they are."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(agent.run()), asyncio.create_task(asks.run()), asyncio.create_task(stop.wait())]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def lay_wires(commands: Commands, namespace: str, settings: Settings) -> None:
    if settings.wires and sandbox.is_rootless():
        sys.exit("cumulet: wires: without root a node cannot use the host's interfaces")
    try:
        await cables.lay(commands, namespace, settings.wires)
    except process.ProcessFailed as error:
        sys.exit(f"cumulet: wires: one of {', '.join(settings.wires.values())} cannot be used: {error}")
