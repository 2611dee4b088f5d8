"""What a new cloud's network begins with: a way out, addresses for networks that are made by themselves, and a network
of the demo project's own."""

from __future__ import annotations

from cumulet.core.db import Transaction
from cumulet.services.network.address_pools import pools
from cumulet.services.network.address_pools.row import SubnetPoolRow
from cumulet.services.network.networks import operations as networks
from cumulet.services.network.networks.ranges import ensure_defaults
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports import operations as ports
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.row import GATEWAY
from cumulet.services.network.room import Network
from cumulet.services.network.routers import interfaces, routers
from cumulet.services.network.routers.gateway import gateway_columns
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.security_groups.default_rules import write_builtin
from cumulet.services.network.subnets import operations as subnets
from cumulet.services.network.subnets.operations import NewSubnet

PUBLIC, PRIVATE, ROUTER, POOL = "public", "private", "router1", "shared-default-subnetpool-v4"
POOL_CIDR, POOL_PREFIX = "10.1.0.0/16", 26


async def seed(
    room: Network,
    *,
    admin_project: str,
    demo_project: str = "",
    public_cidr: str = "172.24.4.0/24",
    private_cidr: str = "10.0.0.0/26",
) -> None:
    """Make what is not there yet, found by name. What an administrator changed stays as it is."""

    async def write(tx: Transaction) -> None:
        await write_builtin(tx)
        await ensure_defaults(room, tx)
        public = await _public(room, tx, admin_project, public_cidr)
        await _pool(room, tx, admin_project)
        if demo_project:
            await _private(room, tx, demo_project, private_cidr, public)

    await room.database.write(write)


async def _public(room: Network, tx: Transaction, project: str, cidr: str) -> NetworkRow:
    found = await tx.find(NetworkRow, name=PUBLIC, project_id=project)
    if found:
        return found[0]
    await room.quota.take(tx, project, network=1, subnet=1)
    wish = {
        "project_id": project,
        "name": PUBLIC,
        "router:external": True,
        "is_default": True,
        "provider:network_type": "flat",
        "provider:physical_network": room.physical_networks[0],
    }
    network = await networks.make(room, tx, wish)
    await subnets.make(room, tx, network, NewSubnet(project_id=project, name="public-subnet", cidr=cidr, dhcp=False))
    return network


async def _pool(room: Network, tx: Transaction, project: str) -> None:
    """Without it no project could be given a network by itself. One that an administrator chose is left alone."""
    if await tx.find(SubnetPoolRow, is_default=True, version=4) or await tx.find(SubnetPoolRow, name=POOL):
        return
    await room.quota.take(tx, project, subnetpool=1)
    wish = {"project_id": project, "name": POOL, "prefixes": [POOL_CIDR], "shared": True, "is_default": True}
    await pools.insert(room, tx, wish | {"default_prefixlen": POOL_PREFIX})


async def _private(room: Network, tx: Transaction, project: str, cidr: str, public: NetworkRow) -> None:
    if await tx.find(NetworkRow, name=PRIVATE, project_id=project):
        return
    await room.quota.take(tx, project, network=1, subnet=1, router=1)
    network = await networks.make(room, tx, {"project_id": project, "name": PRIVATE})
    new = NewSubnet(project_id=project, name="private-subnet", cidr=cidr)
    subnet = await subnets.make(room, tx, network, new)
    router = await routers.insert(room, tx, {"project_id": project, "name": ROUTER})
    gateway = NewPort(project_id="", device_id=router.id, device_owner=GATEWAY, port_security=False)
    port = await ports.make(room, tx, public, gateway)
    await tx.update(RouterRow, {"id": router.id}, **gateway_columns([port], snat=True))
    await interfaces.join(room, tx, router, subnet, network)
