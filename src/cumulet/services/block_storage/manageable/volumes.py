"""Volumes that a node has and nobody here: listed, taken over as somebody's, and let go of."""

from __future__ import annotations

from typing import Any

from cumulet.contracts.assignments import Kind
from cumulet.contracts.volumes import VolumeFacts
from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Anything, Bool, Text
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.asking import shown_without
from cumulet.services.block_storage.errors import InvalidInput, InvalidVolume
from cumulet.services.block_storage.manageable.finding import (
    VOLUME,
    found_on,
    found_where_asked,
    meant,
    page,
    pool_of,
    reference,
    routes,
)
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.types import quotas
from cumulet.services.block_storage.volumes import operations, store
from cumulet.services.block_storage.volumes.operations import Found
from cumulet.services.block_storage.volumes.place import placed
from cumulet.services.block_storage.volumes.resource import NOT_AT_ONCE, volumes
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.block_storage.volumes.sources import Content, Source

RULE = "volume_extension:"


async def _listed(room: BlockStorage, call: Call) -> list[dict[str, Any]]:
    call.allow(RULE + "list_manageable")
    found = await found_where_asked(room, call)
    managed, ordered = await _known(room, [facts.id for facts in found])
    return page(call, [_shown(facts, managed, ordered) for facts in found])


async def _known(room: BlockStorage, ids: list[str]) -> tuple[set[str], set[str]]:
    """Which of these are volumes here, and of which a node still has an order, such as to destroy them."""
    async with room.database.read() as tx:
        managed = {row.id for row in await tx.find(VolumeRow, id=ids)} if ids else set()
    held = await room.fleet.held_many(Kind.VOLUME, ids) if ids else {}
    return managed, {id for id, legs in held.items() if legs}


def _shown(facts: VolumeFacts, managed: set[str], ordered: set[str]) -> dict[str, Any]:
    reason = _why_not(facts, managed, ordered)
    return {
        "reference": reference(VOLUME, facts.id),
        "size": facts.size_gib,
        "safe_to_manage": not reason,
        "reason_not_safe": reason or None,
        "cinder_id": facts.id if facts.id in managed else None,
        "extra_info": None,
    }


def _why_not(facts: VolumeFacts, managed: set[str], ordered: set[str]) -> str:
    """Why a volume cannot be taken over; empty: it can."""
    if facts.id in managed:
        return "already managed"
    if facts.id in ordered:
        return "being deleted"
    if facts.connected_to:
        return "volume in use"
    if facts.encrypted:
        return "encrypted, and nobody has its key"
    return "its data is damaged" if facts.fault else ""


async def manage(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "volume_manage")
    wish = call.wish
    host = wish.get("host") or wish.get("cluster")
    if not host:
        raise InvalidInput("host: say on which host or in which cluster the volume is")
    (pool, node), id = await pool_of(room, host), meant(VOLUME, wish["ref"])
    facts = next((facts for facts in await found_on(room, node, pool.backend) if facts.id == id), None)
    if facts is None:
        raise InvalidInput(
            f"there is no {VOLUME}{id} on {host[:64]}; the list of manageable volumes tells what there is"
        )
    if reason := _why_not(facts, *await _known(room, [id])):
        raise InvalidInput(f"{VOLUME}{id} cannot be managed: {reason}")
    row = await operations.make(
        room,
        new_uuid(),
        call.caller.project_id,
        call.caller.user_id,
        Source(),
        size=facts.size_gib,
        name=wish.get("name") or "",
        description=wish.get("description") or "",
        zone=wish.get("availability_zone") or "",
        type_name=wish.get("volume_type") or "",
        metadata=wish.get("metadata") or {},
        content=Content(bootable=bool(wish.get("bootable"))),
        caller=call.caller,
        found=Found({**placed(pool, id), "node": node}, id, facts.snapshots),
    )
    return shown_without(volumes, call, row, *NOT_AT_ONCE)


@volumes.action("os-unmanage", RULE + "volume_unmanage", kind=Anything)
async def unmanage(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    """The volume goes from here; its bytes stay on its node, where it can be managed again."""

    async def write(tx: Transaction) -> None:
        current = await store.held(room, tx, row.id)
        if current.status not in ("available", "error_managing"):
            raise InvalidVolume(f"status must be available to unmanage it, not {current.status}")
        if current.encryption_key_id:
            raise InvalidVolume("Unmanaging encrypted volumes is not supported.")
        if await tx.find(SnapshotRow, volume_id=row.id, limit=1):
            raise InvalidVolume("it has snapshots; delete or unmanage these first")
        amounts = {"volumes": 1, "gigabytes": current.size}
        await quotas.give_back(room, tx, current.project_id, current.type_id, **amounts)
        await store.change(room, tx, row.id, wanted=False, released=True)

    await room.database.write(write)


ROUTES = routes(
    "volume",
    _listed,
    manage,
    Field("host", Text(255, 1).or_null(), create=OPTIONAL),
    Field("cluster", Text().or_null(), create=OPTIONAL, since="3.16"),
    Field("volume_type", Text().or_null(), create=OPTIONAL),
    Field("availability_zone", Text().or_null(), create=OPTIONAL),
    Field("bootable", Bool, create=OPTIONAL),
)
