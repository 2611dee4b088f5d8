"""`cumulet node`: the agent of this host, over real machines and networks."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import click
import msgspec

from cumulet.contracts.assignments import NodeFacts
from cumulet.contracts.backends import LOCAL
from cumulet.contracts.machines import ImageRef
from cumulet.drivers.hypervisor.base import Belongings
from cumulet.drivers.hypervisor.qemu.driver import QemuHypervisor
from cumulet.drivers.hypervisor.qemu.probe import Abilities, probe
from cumulet.drivers.network.base import OffersMeters
from cumulet.drivers.network.linux import cables, sandbox
from cumulet.drivers.network.linux.commands import Commands, namespaces
from cumulet.drivers.network.linux.driver import LinuxNetwork
from cumulet.drivers.network.linux.node import Node, Uplink
from cumulet.drivers.network.linux.uplink import remove_uplink
from cumulet.drivers.volume.base import Supplies
from cumulet.drivers.volume.files.exports import Exports
from cumulet.drivers.volume.raw.volumes import RawVolumes
from cumulet.lib import process
from cumulet.lib.clock import SystemClock
from cumulet.node.agent import Agent
from cumulet.node.asks import Answerer, AskServer, SocketOf
from cumulet.node.control_plane import HttpControlPlane
from cumulet.node.images.cache import Fetch, ImageCache
from cumulet.node.machines.belongings import HandedOn
from cumulet.node.machines.copies import DiskCopies
from cumulet.node.machines.ways import open_way
from cumulet.node.metadata.documents import config_drive_files
from cumulet.node.metadata.server import MetadataServer
from cumulet.node.passwords import FilePasswords
from cumulet.node.volumes.backends import Backends
from cumulet.node.volumes.data import volume_data
from cumulet.programs import promises, volume_backends
from cumulet.programs.host import name_of, namespace_of, own_facts
from cumulet.programs.locks import AlreadyRunning, hold
from cumulet.programs.logs import log_to_stderr
from cumulet.programs.secrets import node_secret
from cumulet.programs.settings import Settings, load
from cumulet.programs.volume_backends import Surroundings

log = logging.getLogger("cumulet.node")

HYPERVISOR_UID_RANGE = 64_000
"""Machines of root's clouds run as this user number, which no distribution gives out."""
STORAGE_UID = HYPERVISOR_UID_RANGE + 1
"""What carries volumes over the network runs as this one: a machine's process can neither become it nor touch it."""


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
        asyncio.run(_halt(settings) if halt else _run(settings, url or f"unix:{settings.socket}", token))


def _pair(wire: str) -> tuple[str, str]:
    physical, _, interface = wire.partition("=")
    return physical, interface


async def _run(settings: Settings, url: str, token: str | None) -> None:
    clock = SystemClock()
    state = settings.state
    user = _machine_user()
    abilities = await probe(state / "node", user=user)
    facts = own_facts(settings, abilities.accelerator, abilities.version)
    secret = await _secret(settings, url, token, facts)
    control_plane = HttpControlPlane(url, facts.name, secret)

    namespace = namespace_of(settings)
    commands = Commands(process.run)
    if sandbox.is_rootless():
        await sandbox.prepare_rootless(commands)
    await sandbox.ensure_namespace(commands, namespace)
    await _lay_wires(commands, namespace, settings)
    passwords = FilePasswords(state / "node" / "passwords")
    drivers = _Drivers(
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
        _answers(hypervisor, network, drivers.backends, passwords),
        _tunnels(hypervisor),
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


async def _secret(settings: Settings, url: str, token: str | None, facts: NodeFacts) -> str:
    """This host's own node shares a file with the API; another one joins once and remembers."""
    if url.startswith("unix:"):
        return node_secret(settings)
    if not settings.node_address:
        sys.exit("cumulet: a node that joins needs --address HOST:PORT, where the cloud can ask it questions")
    file = settings.state / "node-secret"
    if file.exists():
        return file.read_text().strip()
    if not token:
        sys.exit("cumulet: to join, this node needs a token: run 'cumulet node-token' where the API runs")
    secret = await HttpControlPlane(url, facts.name, "").join(token, facts)
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(secret)
    return secret


async def _lay_wires(commands: Commands, namespace: str, settings: Settings) -> None:
    if settings.wires and sandbox.is_rootless():
        sys.exit("cumulet: wires: without root a node cannot use the host's interfaces")
    try:
        await cables.lay(commands, namespace, settings.wires)
    except process.ProcessFailed as error:
        sys.exit(f"cumulet: wires: one of {', '.join(settings.wires.values())} cannot be used: {error}")


def _machine_user() -> process.User | None:
    """Real root runs machines as somebody without rights; root of a user namespace has nobody else to be."""
    if os.geteuid() != 0 or sandbox.is_rootless():
        return None
    return process.User(HYPERVISOR_UID_RANGE, HYPERVISOR_UID_RANGE)


def _storage_user(machines: process.User | None) -> process.User | None:
    """It opens the volumes that machines open, by their group."""
    return process.User(STORAGE_UID, machines.gid) if machines is not None else None


def _network_node(settings: Settings, namespace: str, user: process.User | None) -> Node:
    return Node(
        name=name_of(settings),
        namespace=namespace,
        tunnel_address=settings.tunnel_address,
        tunnels_in_host=bool(settings.tunnel_address),
        host_gateway=True,
        wires=cables.ends_of(settings.wires),
        rates=promises.egress(settings.bandwidths),
        uplink=Uplink(outgoing=settings.uplink),
        tap_user=user.uid if user else 0,
    )


class _Drivers:
    """The hands of a real node. `fetch` brings the bytes of images, `supplies` what volumes need from elsewhere,
    `belongings` is what arriving machines have."""

    def __init__(
        self,
        settings: Settings,
        abilities: Abilities,
        user: process.User | None,
        fetch: Fetch,
        supplies: Supplies,
        belongings: Belongings | None = None,
    ) -> None:
        clock, folder, namespace = SystemClock(), settings.state / "node", namespace_of(settings)
        self.network = LinuxNetwork(_network_node(settings, namespace, user), folder / "network")
        images = ImageCache(folder / "images", fetch, clock, user)
        machines = _LateMachines()
        storage = _storage_user(user)
        self.exports = Exports(folder / "exports", settings.tunnel_address, user=storage, owner=user)
        self.backends = volume_backends.make(
            settings.volumes,
            Surroundings(
                folder=folder,
                node=name_of(settings),
                images=images,
                supplies=supplies,
                machines=machines,
                exports=self.exports,
                user=user,
                storage_user=storage,
                address=settings.tunnel_address,
            ),
        )
        self.hypervisor = machines.hypervisor = QemuHypervisor(
            folder,
            images,
            self.backends,
            self.network.tap,
            config_drive_files,
            abilities=abilities,
            belongings=belongings,
            open_way=open_way,
            keys=supplies.volume_key,
            net_namespace=namespace,
            user=user,
            relay_user=storage,
            clock=clock,
        )


class _LateMachines:
    """Volumes ask the machines that have them open, and machines open volumes: one of the two is made later."""

    hypervisor: QemuHypervisor

    async def machines_with(self, volume_id: str) -> Sequence[str]:
        return await self.hypervisor.machines_with(volume_id)

    async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
        await self.hypervisor.resize_volume(volume_id, size_bytes)

    async def take_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        await self.hypervisor.take_volume_snapshot(volume_id, snapshot_id)

    async def drop_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        await self.hypervisor.drop_volume_snapshot(volume_id, snapshot_id)


def _answers(
    hypervisor: QemuHypervisor, network: OffersMeters, backends: Backends, passwords: FilePasswords
) -> dict[str, Answerer]:
    async def console_log(parameters: Mapping[str, str]) -> bytes:
        return await hypervisor.console_log(parameters["machine"], int(parameters.get("limit", "0")) or 1 << 20)

    async def volumes_found(parameters: Mapping[str, str]) -> bytes:
        return msgspec.json.encode(await backends[parameters.get("backend") or LOCAL].found())

    async def diagnostics(parameters: Mapping[str, str]) -> bytes:
        return msgspec.json.encode(await hypervisor.diagnostics(parameters["machine"]))

    async def luggage(parameters: Mapping[str, str]) -> bytes:
        machine = parameters["machine"]
        found = await hypervisor.luggage(machine)
        return msgspec.json.encode(msgspec.structs.replace(found, password=passwords.read(machine)))

    async def meters(parameters: Mapping[str, str]) -> bytes:
        return msgspec.json.encode(await network.metered(parameters["router"]))

    async def password(parameters: Mapping[str, str]) -> bytes:
        return passwords.read(parameters["machine"])

    async def set_password(parameters: Mapping[str, str]) -> bytes:
        await hypervisor.set_password(parameters["machine"], parameters["user"], parameters["password"])
        return b""

    async def clear_password(parameters: Mapping[str, str]) -> bytes:
        passwords.clear(parameters["machine"])
        return b""

    return {
        "console_log": console_log,
        "diagnostics": diagnostics,
        "luggage": luggage,
        "volumes_found": volumes_found,
        "meters": meters,
        "password": password,
        "clear_password": clear_password,
        "set_password": set_password,
    }


def _tunnels(hypervisor: QemuHypervisor) -> dict[str, SocketOf]:
    return {
        "vnc": hypervisor.vnc_socket,
        "serial": hypervisor.serial_socket,
        "memory": hypervisor.memory_socket,
        "disks": hypervisor.disks_socket,
    }


async def _nothing(asked: ImageRef | str) -> AsyncIterator[bytes]:
    raise RuntimeError("machines are only stopped here")
    yield b""


class _Nothing:
    """What volumes need while machines are stopped."""

    def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        return _nothing(backup_id)

    def volume_file(self, volume_id: str) -> AsyncIterator[bytes]:
        return _nothing(volume_id)

    async def volume_key(self, volume_id: str) -> str:
        raise RuntimeError("machines are only stopped here")


async def _halt(settings: Settings) -> None:
    """Shut the machines down and take the networks with them, as a host does before it goes down itself."""
    state, user, namespace = settings.state, _machine_user(), namespace_of(settings)
    abilities = await probe(state / "node", user=user)
    drivers = _Drivers(settings, abilities, user, _nothing, _Nothing())
    hypervisor = drivers.hypervisor
    machines = await hypervisor.found()
    await asyncio.gather(*(hypervisor.halt(machine.id) for machine in machines))
    await hypervisor.close()
    await drivers.exports.halt()
    for backend in drivers.backends.values():
        if isinstance(backend, RawVolumes):
            await backend.halt()
    commands = Commands(process.run)
    await remove_uplink(commands, _network_node(settings, namespace, user))
    if namespace in namespaces():
        await sandbox.remove_namespace(commands, namespace, state / "node" / "network")
