"""Everything there is to know about one server at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.contracts.machines import MachineFacts, MachineSpec
from cumulet.contracts.moves import Arrival
from cumulet.contracts.record import digest_of
from cumulet.services.block_storage.public import Promise
from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.moves.row import EVACUATION, LIVE, MoveRow
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.row import DiskRow, NicRow, ServerRow, Wanted
from cumulet.services.compute.servers.shares import asks_at
from cumulet.services.compute.servers.spec import machine_spec
from cumulet.services.fleet import public as fleet
from cumulet.services.fleet.public import NodeView
from cumulet.services.network.public import NicRequest, NicView, ResourceRequest
from cumulet.services.placement.public import Asks, Held

_flavor_decoder = msgspec.json.Decoder(Flavor)
_facts_decoder = msgspec.json.Decoder(MachineFacts)


@dataclass
class Look:
    """The wish of a server, and all facts about it."""

    server: ServerRow
    disks: list[DiskRow]
    nics: list[NicRow]
    ports: dict[str, NicView]
    held: dict[str, fleet.Held]
    """By node."""
    claims: dict[str, Held]
    nodes: dict[str, NodeView]
    """Those that have to do with this server."""
    move: MoveRow | None = None
    servers_of_group: Sequence[str] = field(default=())
    promised: Mapping[str, Promise] = field(default_factory=dict)
    """What block storage knows of its volumes, by the ids of their disks."""
    pending: Mapping[str, ResourceRequest] = field(default_factory=dict)
    """What ports will ask for that are still to be made or adopted, by the card's id."""

    @cached_property
    def flavor(self) -> Flavor:
        return flavor_of(self.server)

    @cached_property
    def machine(self) -> MachineFacts | None:
        """The machine on the server's host, as it was last seen there."""
        return self.machine_on(self.server.host)

    def machine_on(self, host: str) -> MachineFacts | None:
        held = self.held.get(host)
        if held is None or held.gone or not held.observed or len(held.facts) < 3:
            return None
        return _facts_decoder.decode(held.facts)

    @cached_property
    def spec(self) -> MachineSpec:
        """The order for the server's host."""
        disks = [disk if self.goes(disk) else msgspec.structs.replace(disk, target="") for disk in self.disks]
        return machine_spec(self.server, self.flavor, disks, self.nics, self.ports, self.arrival)

    def goes(self, disk: DiskRow) -> bool:
        """Whether its volume may go elsewhere under the machine: as long as nothing else is to happen to either."""
        promise = self.promised.get(disk.id)
        if promise is None or not promise.goes or disk.wanted != "attached":
            return False
        rests = self.move is None and not any(one.new_image for one in self.disks)
        return rests and self.server.wanted in (Wanted.RUNNING, Wanted.PAUSED) and not self.failed

    @property
    def failed(self) -> bool:
        return self.server.faulted == self.server.generation

    @property
    def arrival(self) -> Arrival | None:
        """Where its disks come from, while it stands where an open move has brought it."""
        move = self.move
        if move is None or move.kind in (EVACUATION, LIVE) or move.source == move.destination:
            return None
        return Arrival(move=move.id, source=move.source) if self.server.host == move.destination else None

    @cached_property
    def digest(self) -> str:
        return digest_of(self.spec)

    @property
    def lingers_on(self) -> frozenset[str]:
        """Nodes that have not yet let go of an earlier stay: told to have it again, they would go on with that."""
        return frozenset(held.node for held in self.held.values() if held.gone)

    def alive(self, host: str) -> bool:
        node = self.nodes.get(host)
        return node is not None and node.alive

    def asks_at(self, host: str) -> Asks:
        """What its ports are to be given by a host; of one where none of them is: by whichever it will be."""
        return asks_at(host, self.cards, self.ports, self.pending, self.flavor)

    @property
    def kept(self) -> list[DiskRow]:
        return [disk for disk in self.disks if disk.wanted == "attached"]

    @property
    def cards(self) -> list[NicRow]:
        return [nic for nic in self.nics if nic.wanted == "attached"]

    @property
    def dropped(self) -> list[DiskRow | NicRow]:
        """Disks and cards that are to go while the server stays."""
        rows: list[DiskRow | NicRow] = [*self.disks, *self.nics]
        return [row for row in rows if row.wanted == "gone"]


def flavor_of(server: ServerRow) -> Flavor:
    return _flavor_decoder.decode(server.flavor)


def resources_of(flavor: Flavor, *, root_is_volume: bool) -> dict[str, int]:
    """What a server of this size takes from its host."""
    swap_gib = -(-flavor.swap // 1024)
    disk = (0 if root_is_volume else flavor.disk) + flavor.ephemeral + swap_gib
    wanted = {"VCPU": flavor.vcpus, "MEMORY_MB": flavor.ram, "DISK_GB": disk}
    return {name: amount for name, amount in wanted.items() if amount}


async def look_at(room: Compute, server_id: str) -> Look | None:
    """Read the wish and the facts. None: there is no such server any more."""
    async with room.database.read() as tx:
        server = await tx.get(ServerRow, id=server_id)
        if server is None or server.deleted_at:
            return None
        disks = await tx.find(DiskRow, server_id=server_id, order_by="device")
        nics = await tx.find(NicRow, server_id=server_id, order_by="place")
        move = await tx.get(MoveRow, server_id=server_id, open="open")
    ports = {nic.port_id: nic for nic in await room.networks.nics(server_id)}
    held = {held.node: held for held in await room.fleet.held(Kind.MACHINE, server_id)}
    claims = await room.placement.claims(server_id)
    nodes: dict[str, NodeView] = {}
    for name in {server.host, *held, *claims} - {""}:
        node = await room.fleet.node(name)
        if node is not None:
            nodes[name] = node
    waiting = {
        nic.id: NicRequest(network_id=nic.network_id, port_id=nic.asked_port)
        for nic in nics
        if nic.asks and nic.port_id is None
    }
    pending = await room.networks.pending(waiting) if waiting else {}
    promised = await room.volumes.promised(server_id)
    return Look(server, disks, nics, ports, held, claims, nodes, move, promised=promised, pending=pending)
