"""A running server goes to another host and is not turned off.

`queued` → `preparing` (it is expected there) → `running` (disks and memory are on their way) → `post-migrating` (it
belongs there) → `completed`. Before it belongs there it is its old host's: whatever fails, or its owner calling it
off, leaves it as it was. The one write that makes it the new host's comes when the old one has stopped it and the new
one has all of it, and before either may let it run: so it never runs twice, whoever is killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.machines import MachineSpec
from cumulet.contracts.moves import Arrival, Departure, MoveFacts, Stage
from cumulet.core.db import Transaction
from cumulet.core.reconcile import Again, Failed, Outcome
from cumulet.lib.clock import SECOND
from cumulet.services.compute.history import note_settled
from cumulet.services.compute.hosts import zone_of
from cumulet.services.compute.moves.placing import claim_elsewhere, keeps_local_disk
from cumulet.services.compute.moves.row import MoveRow
from cumulet.services.compute.servers.look import Look, resources_of
from cumulet.services.compute.servers.row import DiskRow, ServerRow
from cumulet.services.compute.servers.rungs.waiting import waiting
from cumulet.services.compute.servers.spec import is_open_as_file, machine_spec
from cumulet.services.compute.servers.store import change, wish_again

if TYPE_CHECKING:
    from cumulet.services.compute.moves.steps import Moves

PASS_SECONDS = 24 * 3600
FAULT_SECONDS = 60
"""How long one of its hosts may fail at it, and try again, before it is given up."""
LOOK_AGAIN = 2.0
ABORT, FORCE = "abort", "force"
VOLUMES_STAY = "Migration pre-check error: its volumes lie on {}, and no other host can reach them."
OPEN_AS_FILE = (
    "Migration pre-check error: volume {} is open as a file on host {}. Migrate the server cold, or detach the volume."
)
NO_WAY = (
    "Migration pre-check error: host {} has no address at which other hosts reach it. Start its node with --address."
)


class LiveMoves:
    """The live moves of one room's servers."""

    def __init__(self, moves: Moves) -> None:
        self.moves = moves
        self.room = moves.room

    async def step(self, look: Look, move: MoveRow) -> Outcome:
        if move.status == "post-migrating":
            return await self.settle_there(look, move)
        if move.wish == ABORT:
            return await self.call_off(look, move, "cancelled", Fault(message="The migration was aborted."))
        if not move.destination:
            return await self.choose(look, move)
        for host in (move.source, move.destination):
            if not look.alive(host):
                return Failed(Fault(message=f"Host {host} went down while the server was leaving {move.source}."))
        return await self.bring_over(look, move)

    async def choose(self, look: Look, move: MoveRow) -> Outcome:
        for disk in look.kept:
            if disk.node:
                return Failed(Fault(message=VOLUMES_STAY.format(disk.node), code=400))
            if is_open_as_file(disk):
                return Failed(Fault(message=OPEN_AS_FILE.format(disk.volume_id, look.server.host), code=400))
        wanted = resources_of(look.flavor, root_is_volume=not keeps_local_disk(look))
        found = await claim_elsewhere(self.room, look, move, wanted)
        if isinstance(found, Fault):
            return Failed(found)
        await self.moves.write(look, move, lambda row: None, destination=found, status="preparing")
        return Again()

    # ---- on its way ------------------------------------------------------------------------------------------------

    async def bring_over(self, look: Look, move: MoveRow) -> Outcome:
        """Have it expected there, then let it leave here; when both are through with it, it is the new host's."""
        server, there, here = look.server, move.destination, move.source
        for nic in look.cards:
            port = look.ports.get(nic.port_id or "")
            if port is not None and there not in port.prepared:
                await self.room.networks.prepare(port.port_id, there)
        expected = await self.expected(look, move)
        await self.room.fleet.assign(there, Kind.MACHINE, server.id, expected, server.generation)
        fault, arrival = said(look, there, move)
        if fault is not None:
            return await self.bear(look, move, fault, arrival)
        if arrival is None:
            return waiting(self.room, look, 1800, f"it is not expected on {there} yet", "Migration error")
        if move.status != "running":
            await self.moves.write(look, move, lambda row: None, status="running")
            return Again()
        leaving = await self.leaving(look, move)
        if isinstance(leaving, Fault):
            return Failed(leaving)
        await self.room.fleet.assign(here, Kind.MACHINE, server.id, leaving, server.generation)
        fault, departure = said(look, here, move)
        if fault is not None:
            return await self.bear(look, move, fault, departure)
        if move.fails_since:
            await self.moves.write(look, move, lambda row: None, fails_since=0)
        if departure is not None and departure.stage is Stage.LEFT and arrival.stage is Stage.ARRIVED:
            await self.hand_over(look, move)
            return Again()
        return Again(LOOK_AGAIN, "it is on its way")

    async def bear(self, look: Look, move: MoveRow, fault: Fault, facts: MoveFacts | None) -> Outcome:
        """A host that fails tries again, unless it says that the move has ended there: a busy one is slow to answer."""
        now = self.room.clock.now()
        if facts is not None and facts.stage is Stage.FAILED:
            return Failed(fault)
        if not move.fails_since:
            await self.moves.write(look, move, lambda row: None, fails_since=now)
        elif now - move.fails_since > FAULT_SECONDS * SECOND:
            return Failed(fault)
        return Again(LOOK_AGAIN, fault.message)

    async def expected(self, look: Look, move: MoveRow) -> MachineSpec:
        """The order for its new host, with the ways to its volumes from there."""
        server = look.server
        disks = [await self.connected_there(disk, move.destination) for disk in look.disks]
        arrival = Arrival(move=move.id, source=move.source, live=True, secret=move.secret)
        return machine_spec(server, look.flavor, disks, look.nics, look.ports, arrival)

    async def connected_there(self, disk: DiskRow, host: str) -> DiskRow:
        if disk.local or disk.wanted != "attached":
            return disk
        connection = await self.room.volumes.connect(disk.id, host, f"/dev/{disk.device}")
        text = msgspec.json.encode(connection).decode() if connection is not None else disk.connection
        return msgspec.structs.replace(disk, connection=text)

    async def leaving(self, look: Look, move: MoveRow) -> MachineSpec | Fault:
        """The order for its old host."""
        node = look.nodes[move.destination]
        if node.facts.address.startswith("unix:"):
            return Fault(message=NO_WAY.format(node.name), code=400)
        until = move.created_at + PASS_SECONDS * SECOND
        memory, disks = [
            await self.room.fleet.seal(node.name, what, until, machine=look.server.id) for what in ("memory", "disks")
        ]
        departure = Departure(
            move=move.id,
            address=node.facts.address,
            memory_pass=memory,
            disks_pass=disks,
            secret=move.secret,
            force=move.wish == FORCE,
        )
        return msgspec.structs.replace(look.spec, departure=departure)

    async def hand_over(self, look: Look, move: MoveRow) -> None:
        """From now on it belongs there, and the old host will never be told to let it run."""
        zone = await zone_of(self.room, move.destination)

        def alter(row: ServerRow) -> None:
            row.host, row.zone = move.destination, zone

        await self.moves.write(look, move, alter, status="post-migrating")

    # ---- its end ---------------------------------------------------------------------------------------------------

    async def settle_there(self, look: Look, move: MoveRow) -> Outcome:
        for disk in look.kept:
            moved = await self.connected_there(disk, look.server.host)
            if moved.connection != disk.connection:
                await change(self.room, disk, connection=moved.connection)
                disk.connection = moved.connection
        waiting = await self.moves.climb(look)
        if waiting is not None:
            return waiting
        for disk in look.kept:
            if not disk.local:
                await self.room.volumes.moved(disk.id, look.server.host)
        await self.leave_behind(look, move)
        await self.moves.close(look, move, "completed", give_back={})
        return Again()

    async def leave_behind(self, look: Look, move: MoveRow) -> None:
        """Nothing of it is its old host's any more."""
        await self.room.fleet.withdraw(move.source, Kind.MACHINE, look.server.id)
        await self.room.placement.release(look.server.id, move.source)

    async def call_off(self, look: Look, move: MoveRow, status: str, fault: Fault) -> Outcome:
        """It stays where it is; nothing is held for it elsewhere."""
        server, now = look.server, self.room.clock.now()
        for port in look.ports.values():
            if move.destination in port.prepared:
                await self.room.networks.give_up(port.port_id, move.destination)
        if move.destination:
            await self.room.fleet.withdraw(move.destination, Kind.MACHINE, server.id)
            await self.room.placement.release(server.id, move.destination)

        def alter(row: ServerRow) -> None:
            row.move = ""
            wish_again(row, now)  # the old host has still to hear that it stays

        async def history(tx: Transaction) -> None:
            await note_settled(tx, server.id, server.generation, now, fault=fault)

        await self.room.database.write(history)
        await self.moves.close(look, move, status, give_back={}, alter=alter)
        return Again()


def said(look: Look, host: str, move: MoveRow) -> tuple[Fault | None, MoveFacts | None]:
    """What a host says of this very move; nothing while it has not answered the order for it."""
    held, facts = look.held.get(host), look.machine_on(host)
    if held is None or facts is None or held.observed != held.generation:
        return None, None
    return facts.fault, facts.move if facts.move and facts.move.move == move.id else None
