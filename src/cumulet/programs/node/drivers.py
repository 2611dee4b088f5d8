"""The hands of a real node: machines, networks and volumes, each made with what it needs of the others."""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.drivers.hypervisor.base import Belongings
from cumulet.drivers.hypervisor.qemu.driver import QemuHypervisor
from cumulet.drivers.hypervisor.qemu.probe import Abilities
from cumulet.drivers.network.linux import cables
from cumulet.drivers.network.linux.driver import LinuxNetwork
from cumulet.drivers.network.linux.node import Node, Uplink
from cumulet.drivers.volume.base import Supplies
from cumulet.drivers.volume.files.exports import Exports
from cumulet.lib import process
from cumulet.lib.clock import SystemClock
from cumulet.node.images.cache import Fetch, ImageCache
from cumulet.node.machines.ways import open_way
from cumulet.node.metadata.documents import config_drive_files
from cumulet.programs import promises, volume_backends
from cumulet.programs.host import name_of, namespace_of
from cumulet.programs.node.users import storage_user
from cumulet.programs.settings import Settings
from cumulet.programs.volume_backends import Surroundings


def network_node(settings: Settings, namespace: str, user: process.User | None) -> Node:
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


class Drivers:
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
        self.network = LinuxNetwork(network_node(settings, namespace, user), folder / "network")
        images = ImageCache(folder / "images", fetch, clock, user)
        machines = _LateMachines()
        storage = storage_user(user)
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
