"""Brings each server to its owner's wish: looks, tells what it found, takes one step. It may be killed anywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Fault
from cumulet.core.db import Query, Transaction
from cumulet.core.errors import CloudError, Unavailable
from cumulet.core.reconcile import Again, Done, Failed, Outcome, next_step
from cumulet.lib.clock import SECOND
from cumulet.services.block_storage.public import Promise
from cumulet.services.compute.moves.row import MoveRow
from cumulet.services.compute.moves.steps import Moves
from cumulet.services.compute.room import Compute
from cumulet.services.compute.server_groups import leave
from cumulet.services.compute.servers.bringing import follow_volumes
from cumulet.services.compute.servers.counted import held
from cumulet.services.compute.servers.ladder import ladder
from cumulet.services.compute.servers.look import Look, look_at
from cumulet.services.compute.servers.row import DiskRow, NicRow, ServerRow, TagRow, Wanted
from cumulet.services.compute.servers.rungs import attached, powered, reimaged, told, wired
from cumulet.services.compute.servers.rungs.waiting import LOOK_AGAIN
from cumulet.services.compute.servers.store import copy_of, note, save, touch
from cumulet.services.compute.servers.tell import json_of, tell_facts

INTENT_SECONDS = 60


class ServerReconciler:
    """The servers of one room."""

    topic = "server"
    also = ("machine", "device", "attachment")
    """News about a server's machine, ports and attachments come under its id too."""

    def __init__(self, room: Compute) -> None:
        self.room = room
        self.ladder = ladder(room)
        self.moves = Moves(room, self.ladder)

    async def step(self, key: str) -> Outcome:
        look = await look_at(self.room, key)
        promised = look.promised if look else await self.room.volumes.promised(key)
        waits = await self.take_back_promises(promised, {disk.id for disk in look.disks} if look else set())
        outcome = await self.look_after(key, look) if look else Done()
        if waits and isinstance(outcome, Done):
            return Again(INTENT_SECONDS, "a volume was promised to it, and its disk is not written down yet")
        return outcome

    async def look_after(self, key: str, look: Look) -> Outcome:
        if look.server.wanted == Wanted.GONE:
            return await follow_volumes(self.room, look) or await self.end(look)
        now = self.room.clock.now()
        if look.server.wanted == Wanted.INTENT:
            return await self.drop_stale_intent(look, now)
        told = await note(self.room, key, lambda row: tell_facts(row, look, now))
        if told is None or told.generation != look.server.generation:
            return Again()  # it changed while we looked
        look.server = told
        if (elsewhere := await follow_volumes(self.room, look)) is not None:
            return elsewhere
        if look.failed:
            return Done()
        try:
            outcome = await self.decide(look)
        except Unavailable as error:
            return Again(LOOK_AGAIN, error.message)
        except CloudError as error:
            outcome = Failed(Fault(message=error.message, code=error.status))
        if isinstance(outcome, Failed):
            await self.fail(look, outcome.fault)
        return outcome

    async def take_back_promises(self, promised: Mapping[str, Promise], known: Collection[str]) -> bool:
        """Release volumes promised to a server by a request that ended before it wrote the disk down.

        Whether there are young promises, whose request may still be at work.
        """
        young = False
        now = self.room.clock.now()
        for attachment_id, promise in promised.items():
            if attachment_id in known:
                continue
            if now - promise.made_at < INTENT_SECONDS * SECOND:
                young = True
            else:
                await self.room.volumes.release(attachment_id)
        return young

    async def decide(self, look: Look) -> Outcome:
        """One step, or none when all is as wished."""
        if look.move is not None:
            return await self.moves.step(look)
        if look.server.wanted == Wanted.SHELVED:
            return await self.shelve(look)
        step = next_step(self.ladder, look, wanted=True)
        if step is not None:
            return await step.act(look)
        if look.server.shelved_image_id:
            return await self.forget_shelving(look)
        await self.settle(look)
        return Done()

    async def drop_stale_intent(self, look: Look, now: int) -> Outcome:
        """Whoever was making this server has not come back: he was stopped in the middle, or met an error."""
        if now - look.server.wished_at < INTENT_SECONDS * SECOND:
            return Again(INTENT_SECONDS, "its volumes are being reserved")

        def alter(row: ServerRow) -> None:
            if row.wanted == Wanted.INTENT:
                row.wanted = Wanted.GONE

        await note(self.room, look.server.id, alter)
        return Again()

    async def settle(self, look: Look) -> None:
        """The wish of this generation is met."""
        generation = look.server.generation
        if look.server.met == generation:
            return

        def alter(row: ServerRow) -> None:
            row.met = max(row.met, generation)

        await note(self.room, look.server.id, alter)

    async def fail(self, look: Look, fault: Fault) -> None:
        """This generation cannot be met: ERROR, with its reason. What a server that never ran held is free again."""
        generation, now = look.server.generation, self.room.clock.now()
        if look.move is not None and self.moves.can_be_undone(look.move):
            await self.moves.fail(look, look.move, fault)
            return
        if look.move is not None:
            await self.moves.give_up(look, look.move)

        never_ran = not look.server.launched_at
        if never_ran:
            if powered.has_machine(look):
                await powered.withdraw(self.room, look)
            await attached.take_off(self.room, look)
            await wired.take_off(self.room, look)
            await self.room.placement.release(look.server.id)

        def alter(row: ServerRow) -> None:
            if row.generation == generation and row.wanted != Wanted.GONE:
                row.faulted = generation
                row.fault = fault_text(fault, now)
                if never_ran:
                    row.host = row.host_status = row.power = ""

        await note(self.room, look.server.id, alter)
        await reimaged.give_up(self.room, look)

    # ---- shelving ----------------------------------------------------------------------------------------------------

    async def shelve(self, look: Look) -> Outcome:
        """Off its host, once the image of its disk is in store."""
        server = look.server
        if server.job:
            return Again(LOOK_AGAIN, "the image of its disk is being stored")
        if powered.has_machine(look):
            return await powered.withdraw(self.room, look)
        if look.dropped:
            return await told.trim(self.room, look)
        await attached.take_off(self.room, look)
        await wired.take_off(self.room, look)
        if look.claims:
            await self.room.placement.release(server.id)
        generation = server.generation

        def alter(row: ServerRow) -> None:
            row.host = row.host_status = row.power = ""
            row.offloaded = True
            row.met = max(row.met, generation)

        await note(self.room, server.id, alter)
        return Done()

    async def forget_shelving(self, look: Look) -> Outcome:
        """Back on a host it is again a server of the image it was made of; the one that brought it back goes."""
        server, now = look.server, self.room.clock.now()
        original = await self.room.images.ref(server.image_id) if server.image_id else None
        await self.room.images.delete(server.shelved_image_id)

        def alter(row: ServerRow) -> None:
            row.shelved_image_id = ""
            row.image_ref = json_of(original) if original is not None else row.image_ref
            touch(row, now)

        await note(self.room, server.id, alter)
        return Again()

    # ---- the end -----------------------------------------------------------------------------------------------------

    async def end(self, look: Look) -> Outcome:
        """Release everything, last things first; then only a tombstone is left."""
        step = next_step(self.ladder, look, wanted=False)
        if step is not None:
            return await step.act(look)
        for port_id in look.ports:
            await self.room.networks.unplug(look.server.id, port_id)
        await self.room.database.write(lambda tx: bury(tx, self.room, look.server.id))
        return Done()

    # ---- sweeps ------------------------------------------------------------------------------------------------------

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        async with self.room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_keys(True), {"after": after, "most": limit})]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        async with self.room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_keys(False), {"after": after, "most": limit})]


async def bury(tx: Transaction, room: Compute, server_id: str) -> None:
    """The tombstone: nothing is counted any more."""
    before = await tx.get(ServerRow, id=server_id)
    if before is None or before.deleted_at:
        return
    row = copy_of(before)
    now = room.clock.now()
    row.deleted_at = row.terminated_at = now
    row.met = row.generation
    row.host_status = row.power = row.job = row.move = ""
    row.user_data, row.admin_password, row.files = None, "", "[]"
    await save(tx, room, before, row)
    move = await tx.get(MoveRow, server_id=server_id, open="open")
    if move is not None:
        await tx.update(MoveRow, {"id": move.id}, open=None, status="done", secret="", updated_at=now)
    await room.quota.give_back(tx, row.project_id, instances=1, **held(row, move))
    await tx.delete(TagRow, server_id=server_id)
    await tx.delete(DiskRow, server_id=server_id)
    await tx.delete(NicRow, server_id=server_id)
    if row.group_id:
        await leave(tx, row.group_id, server_id)


def fault_text(fault: Fault, now: int) -> str:
    """A fault as a server's row keeps it."""
    return msgspec.json.encode(
        {"code": fault.code, "created": now, "message": fault.message[:255], "details": fault.details[:4096]}
    ).decode()


@cache
def _keys(unsettled: bool) -> Query:
    statement = (
        sa.select(ServerRow.c.id)
        .where(ServerRow.c.id > sa.bindparam("after", type_=sa.String), ServerRow.c.deleted_at == 0)
        .order_by(ServerRow.c.id)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )
    return Query(statement.where(ServerRow.c.unsettled.is_(True)) if unsettled else statement)
