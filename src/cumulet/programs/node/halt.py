"""Shuts down what a node that has ended left running, as a host does before it goes down itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from cumulet.contracts.machines import ImageRef
from cumulet.drivers.hypervisor.qemu.probe import probe
from cumulet.drivers.network.linux import sandbox
from cumulet.drivers.network.linux.commands import Commands, namespaces
from cumulet.drivers.network.linux.uplink import remove_uplink
from cumulet.drivers.volume.raw.volumes import RawVolumes
from cumulet.lib import process
from cumulet.programs.host import namespace_of
from cumulet.programs.node.drivers import Drivers, network_node
from cumulet.programs.node.users import machine_user
from cumulet.programs.settings import Settings


async def _nothing(asked: ImageRef | str) -> AsyncIterator[bytes]:
    raise RuntimeError("machines are only stopped here")
    yield b""


class Nothing:
    """What volumes need while machines are stopped."""

    def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        return _nothing(backup_id)

    def volume_file(self, volume_id: str) -> AsyncIterator[bytes]:
        return _nothing(volume_id)

    async def volume_key(self, volume_id: str) -> str:
        raise RuntimeError("machines are only stopped here")


async def shut_down(settings: Settings) -> None:
    """Shut the machines down and take the networks with them, as a host does before it goes down itself."""
    state, user, namespace = settings.state, machine_user(), namespace_of(settings)
    abilities = await probe(state / "node", user=user)
    drivers = Drivers(settings, abilities, user, _nothing, Nothing())
    hypervisor = drivers.hypervisor
    machines = await hypervisor.found()
    await asyncio.gather(*(hypervisor.halt(machine.id) for machine in machines))
    await hypervisor.close()
    await drivers.exports.halt()
    for backend in drivers.backends.values():
        if isinstance(backend, RawVolumes):
            await backend.halt()
    commands = Commands(process.run)
    await remove_uplink(commands, network_node(settings, namespace, user))
    if namespace in namespaces():
        await sandbox.remove_namespace(commands, namespace, state / "node" / "network")
