"""Follows the nodes: placement learns what each offers, its service is remembered, its servers show its status."""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.core.db import Transaction
from cumulet.core.reconcile import Done, Outcome
from cumulet.services.compute.hosts import ensure_service, services, status_of
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.row import ServerRow
from cumulet.services.fleet.public import NodeView
from cumulet.services.placement.public import Offer

CPU_RATIO = 16.0
RAM_RATIO = 1.5
DISK_RATIO = 1.0
RESERVED_MEMORY_MIB = 512


def inventory_of(node: NodeView) -> dict[str, Offer]:
    """What a node offers to servers."""
    facts = node.facts
    spare = RESERVED_MEMORY_MIB if facts.memory_mib > 4 * RESERVED_MEMORY_MIB else 0
    return {
        "VCPU": Offer(facts.vcpus, max_unit=max(1, facts.vcpus), allocation_ratio=CPU_RATIO),
        "MEMORY_MB": Offer(
            facts.memory_mib, reserved=spare, max_unit=max(1, facts.memory_mib), allocation_ratio=RAM_RATIO
        ),
        "DISK_GB": Offer(facts.disk_gib, max_unit=max(1, facts.disk_gib), allocation_ratio=DISK_RATIO),
    }


class NodeReconciler:
    """One key for each node."""

    topic = "node"
    also: tuple[str, ...] = ()

    def __init__(self, room: Compute) -> None:
        self.room = room

    async def step(self, key: str) -> Outcome:
        node = await self.room.fleet.node(key)
        if node is None:
            return Done()
        await ensure_service(self.room, key)
        await self.room.placement.ensure_provider(key, inventory_of(node))
        status = status_of(node)

        async def write(tx: Transaction) -> None:
            stale = await tx.find(ServerRow, host=key, deleted_at=0)
            for server in stale:
                if server.host_status != status:
                    await tx.update(
                        ServerRow, {"id": server.id, "revision": server.revision},
                        host_status=status, revision=server.revision + 1,
                    )  # fmt: skip
                    tx.wake("server", server.id)

        if await self.differs(key, status):
            await self.room.database.write(write)
        return Done()

    async def differs(self, host: str, status: str) -> bool:
        async with self.room.database.read() as tx:
            return any(row.host_status != status for row in await tx.find(ServerRow, host=host, deleted_at=0))

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        known = await services(self.room)
        names = sorted(node.name for node in await self.room.fleet.nodes() if node.name not in known)
        return [name for name in names if name > after][:limit]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        names = sorted(node.name for node in await self.room.fleet.nodes())
        return [name for name in names if name > after][:limit]
