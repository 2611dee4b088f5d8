"""How a move goes on: off at the source, then on at the destination; kept on both until its owner has decided.

`migrating` → `post-migrating` → `finished`, and from there `confirmed` or `reverted`. A move that fails before it is
finished brings the server back to what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.machines import ImageRef
from cumulet.core.db import Transaction
from cumulet.core.reconcile import Again, Done, Failed, Outcome, next_step
from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.history import note_settled
from cumulet.services.compute.hosts import zone_of
from cumulet.services.compute.moves.live import LiveMoves
from cumulet.services.compute.moves.placing import claim_elsewhere, claimed_elsewhere, grow_in_place, keeps_local_disk
from cumulet.services.compute.moves.row import COLD, EVACUATION, LIVE, MoveRow
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.counted import growth
from cumulet.services.compute.servers.look import Look, resources_of
from cumulet.services.compute.servers.row import ServerRow
from cumulet.services.compute.servers.rungs import attached, wired
from cumulet.services.compute.servers.store import copy_of, save, wish_again

if TYPE_CHECKING:
    from collections.abc import Callable

    from cumulet.services.compute.servers.ladder import Ladder

_flavor = msgspec.json.Decoder(Flavor)
_image = msgspec.json.Decoder(ImageRef)
VOLUMES_STAY = "No valid host was found. Its volumes lie on {}, and no other host can reach them."


class Moves:
    """The open moves of one room's servers."""

    def __init__(self, room: Compute, ladder: Ladder) -> None:
        self.room = room
        self.ladder = ladder
        self.live = LiveMoves(self)

    async def step(self, look: Look) -> Outcome:
        move = look.move
        if move is None:
            return Done()
        if move.kind == EVACUATION:
            return await self.evacuate(look, move)
        if move.kind == LIVE:
            return await self.live.step(look, move)
        match (move.wish, move.status):
            case ("go", "finished"):
                return await self.climb(look) or Done()
            case ("go", "post-migrating"):
                return await self.climb(look) or await self.finish(look, move)
            case ("go", _):
                return await self.prepare(look, move)
            case ("confirm", _):
                return await self.confirm(look, move)
        return await self.revert(look, move)

    async def climb(self, look: Look) -> Outcome | None:
        """The next step of the server's ladder where it stands; None: all is as ordered there."""
        step = next_step(self.ladder, look, wanted=True)
        return await step.act(look) if step else None

    # ---- there -----------------------------------------------------------------------------------------------------

    async def prepare(self, look: Look, move: MoveRow) -> Outcome:
        if not look.alive(move.source):
            return Failed(Fault(message=f"Host {move.source} went down before the server had left it."))
        if not move.destination:
            return await self.choose(look, move)
        waiting = await self.climb(look)
        if waiting is not None:
            return waiting  # not off yet
        await self.arrive(look, move, move.destination, move.new_flavor, "resize_finish", "post-migrating")
        return Again()

    async def choose(self, look: Look, move: MoveRow) -> Outcome:
        """A host for it: its own, should that be allowed and have room for both sizes, else the best of the others."""
        source, flavor = move.source, _flavor.decode(move.new_flavor)
        wanted = resources_of(flavor, root_is_volume=not keeps_local_disk(look))
        bound = {disk.node for disk in look.kept if not disk.local} - {""}
        may_stay = move.kind != COLD and move.host_wanted in ("", source) and not claimed_elsewhere(look, move)
        stays = may_stay and await grow_in_place(self.room, look, move, wanted)
        if not stays and bound:
            return Failed(Fault(message=VOLUMES_STAY.format(", ".join(sorted(bound))), code=400))
        found = source if stays else await claim_elsewhere(self.room, look, move, wanted)
        if isinstance(found, Fault):
            return Failed(found)
        await self.write(look, move, lambda row: None, destination=found, status="migrating")
        return Again()

    async def arrive(self, look: Look, move: MoveRow, host: str, flavor: str, task: str, status: str) -> None:
        """The server is off; from now on it belongs on this host, at this size."""
        if host != look.server.host:
            await attached.take_off(self.room, look)
            await wired.take_off(self.room, look)
        zone = await zone_of(self.room, host)

        def alter(row: ServerRow) -> None:
            row.host, row.zone, row.flavor, row.flavor_id = host, zone, flavor, _flavor.decode(flavor).id
            row.wanted, row.move, row.power, row.ran = move.power, task, "stopped", 0
            wish_again(row, self.room.clock.now())

        await self.write(look, move, alter, status=status)

    async def finish(self, look: Look, move: MoveRow) -> Outcome:
        generation = look.server.generation
        await self.hold_aside(look, move)

        def alter(row: ServerRow) -> None:
            row.move = "resized"
            row.met = max(row.met, generation)

        await self.write(look, move, alter, status="finished")
        return Done()

    async def hold_aside(self, look: Look, move: MoveRow) -> None:
        """What it has at the source is held by the move until its owner has decided."""
        if move.source != move.destination:
            await self.hand(look, look.server.id, move.id, move, "MIGRATION")

    async def hold_again(self, look: Look, move: MoveRow) -> None:
        """What it has at the source is its own again."""
        await self.hand(look, move.id, look.server.id, move, "INSTANCE")

    async def hand(self, look: Look, giver: str, taker: str, move: MoveRow, type: str) -> None:
        server = look.server
        await self.room.placement.hand(
            giver, taker, move.source, project_id=server.project_id, user_id=server.user_id, type=type
        )

    # ---- the owner has decided ---------------------------------------------------------------------------------------

    async def confirm(self, look: Look, move: MoveRow) -> Outcome:
        server = look.server
        if move.source != move.destination:
            await self.room.fleet.withdraw(move.source, Kind.MACHINE, server.id)
            await self.room.placement.release(move.id)
            await self.room.placement.release(server.id, move.source)
        else:
            await self.claim_exactly(look, move.new_flavor, move.destination)
        await self.close(look, move, "confirmed", give_back=_growth(look, move.new_flavor, move.old_flavor))
        return Again()

    async def revert(self, look: Look, move: MoveRow) -> Outcome:
        if move.status == "reverting":
            waiting = await self.climb(look)
            if waiting is not None:
                return waiting  # not off yet at the destination
            await self.hold_again(look, move)
            await self.arrive(look, move, move.source, move.old_flavor, "resize_reverting", "reverted-starting")
            return Again()
        waiting = await self.climb(look)
        if waiting is not None:
            return waiting
        await self.go_back(look, move)
        await self.close(look, move, "reverted", give_back=_growth(look, move.old_flavor, move.new_flavor))
        return Again()

    async def go_back(self, look: Look, move: MoveRow) -> None:
        """Nothing is held at the destination any more, and what was at the source is its own."""
        await self.hold_again(look, move)
        if move.destination and move.source != move.destination:
            await self.room.fleet.withdraw(move.destination, Kind.MACHINE, look.server.id)
            await self.room.placement.release(look.server.id, move.destination)
        elif move.destination:
            await self.claim_exactly(look, move.old_flavor, move.source)

    async def claim_exactly(self, look: Look, flavor: str, host: str) -> None:
        server = look.server
        wanted = resources_of(_flavor.decode(flavor), root_is_volume=not keeps_local_disk(look))
        await self.room.placement.claim(server.id, host, wanted, project_id=server.project_id, user_id=server.user_id)

    @staticmethod
    def can_be_undone(move: MoveRow) -> bool:
        """Whether the server can still be what it was before."""
        return move.kind != EVACUATION and move.status not in (
            "finished",
            "post-migrating" if move.kind == LIVE else "",
        )

    async def give_up(self, look: Look, move: MoveRow) -> None:
        """The server is where it was to go, and is in ERROR."""
        await self.hold_again(look, move)
        if move.kind == LIVE:
            await self.live.leave_behind(look, move)
        await self.close(look, move, "error", give_back={}, alter=failed)

    async def fail(self, look: Look, move: MoveRow, fault: Fault) -> None:
        """Before it is finished a move that fails is undone: the wish returns to what was met before."""
        if move.kind == LIVE:
            await self.live.call_off(look, move, "error", fault)
            return
        await self.go_back(look, move)
        now = self.room.clock.now()

        def alter(row: ServerRow) -> None:
            row.host, row.flavor, row.flavor_id = move.source, move.old_flavor, _flavor.decode(move.old_flavor).id
            row.wanted, row.move = move.power, ""
            wish_again(row, now)

        async def history(tx: Transaction) -> None:
            await note_settled(tx, look.server.id, look.server.generation, now, fault=fault)

        await self.room.database.write(history)
        await self.close(look, move, "error", give_back=_growth(look, move.old_flavor, move.new_flavor), alter=alter)

    # ---- evacuation --------------------------------------------------------------------------------------------------

    async def evacuate(self, look: Look, move: MoveRow) -> Outcome:
        """Its host is lost: made anew on another, without asking the old one, which drops it when it returns."""
        server = look.server
        if not move.destination:
            if any(disk.node == move.source for disk in look.kept):
                return Failed(Fault(message=VOLUMES_STAY.format(move.source), code=400))
            wanted = resources_of(look.flavor, root_is_volume=not keeps_local_disk(look))
            found = await claim_elsewhere(self.room, look, move, wanted)
            if isinstance(found, Fault):
                return Failed(found)
            await self.write(look, move, lambda row: None, destination=found, status="pre-migrating")
            return Again()
        if server.host != move.destination:
            await self.room.fleet.withdraw(move.source, Kind.MACHINE, server.id)
            await self.room.placement.release(server.id, move.source)
            await self.arrive(look, move, move.destination, move.new_flavor, "rebuilding", "done-moving")
            return Again()
        waiting = await self.climb(look)
        if waiting is not None:
            return waiting
        await self.close(look, move, "done", give_back={})
        return Again()

    # ---- writing -----------------------------------------------------------------------------------------------------

    async def write(
        self, look: Look, move: MoveRow, alter: Callable[[ServerRow], None], **changes: str | int | None
    ) -> None:
        """Change the server and its move in one transaction."""

        async def work(tx: Transaction) -> None:
            await self._write(tx, look, move, alter, changes)

        await self.room.database.write(work)

    async def _write(
        self,
        tx: Transaction,
        look: Look,
        move: MoveRow,
        alter: Callable[[ServerRow], None],
        changes: dict[str, str | int | None],
    ) -> ServerRow | None:
        """The row as it was stored; None: its owner has said something new since we looked, and nothing was stored."""
        before = await tx.get(ServerRow, id=look.server.id)
        if before is None or before.deleted_at or before.generation != look.server.generation:
            return None
        row = copy_of(before)
        alter(row)
        await tx.update(MoveRow, {"id": move.id}, updated_at=self.room.clock.now(), **changes)
        await save(tx, self.room, before, row)
        return row

    async def close(
        self,
        look: Look,
        move: MoveRow,
        status: str,
        *,
        give_back: dict[str, int],
        alter: Callable[[ServerRow], None] | None = None,
    ) -> None:
        """The move has ended."""
        generation = look.server.generation

        def ended(row: ServerRow) -> None:
            row.move = ""
            row.met = max(row.met, generation)

        async def work(tx: Transaction) -> None:
            row = await self._write(tx, look, move, alter or ended, {"status": status, "open": None, "secret": ""})
            if row is not None:
                await self.room.quota.give_back(tx, row.project_id, **give_back)

        await self.room.database.write(work)


def failed(row: ServerRow) -> None:
    row.move = ""


def _growth(look: Look, old: str, new: str) -> dict[str, int]:
    root_is_volume = not look.server.image_ref
    return growth(_flavor.decode(old), _flavor.decode(new), root_is_volume=root_is_volume)
