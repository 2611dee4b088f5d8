"""Snapshots that are in a volume's file and belong to nobody here: listed, taken over, and let go of."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Anything, Uuid
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.errors import InvalidInput, InvalidSnapshot, InvalidVolume
from cumulet.services.block_storage.manageable.finding import (
    SNAPSHOT,
    VOLUME,
    found_on,
    found_where_asked,
    meant,
    page,
    reference,
    routes,
)
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.operations import add
from cumulet.services.block_storage.snapshots.resource import snapshots
from cumulet.services.block_storage.snapshots.row import SnapshotRow, on_node
from cumulet.services.block_storage.types import quotas
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.resource import volumes
from cumulet.services.block_storage.volumes.row import VolumeRow

RULE = "snapshot_extension:"


async def _listed(room: BlockStorage, call: Call) -> list[dict[str, Any]]:
    call.allow(RULE + "list_manageable")
    found = await found_where_asked(room, call)
    ids = [facts.id for facts in found]
    async with room.database.read() as tx:
        owners = {row.id for row in await tx.find(VolumeRow, id=ids)} if ids else set()
        known = {on_node(row): row.id for row in await tx.find(SnapshotRow, volume_id=ids)} if ids else {}
    shown = []
    for facts in found:
        for name, size in zip(facts.snapshots, facts.snapshot_sizes, strict=True):
            reason = "already managed" if name in known else "" if facts.id in owners else "its volume is not managed"
            shown.append(
                {
                    "reference": reference(SNAPSHOT, name),
                    "size": size,
                    "safe_to_manage": not reason,
                    "source_reference": reference(VOLUME, facts.id),
                    "reason_not_safe": reason or None,
                    "cinder_id": known.get(name),
                    "extra_info": None,
                }
            )
    return page(call, shown)


async def manage(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "snapshot_manage")
    wish = call.wish
    volume = await volumes.find(room, call, wish["volume_id"])
    name = meant(SNAPSHOT, wish["ref"])
    _must_be_there(volume)
    size = await _size(room, volume, name)

    async def write(tx: Transaction) -> SnapshotRow:
        current = await store.held(room, tx, volume.id)
        _must_be_there(current)
        left = _left(current)
        if name not in left:
            raise _is_not_left(volume, name)
        now = room.clock.now()
        row = SnapshotRow(
            id=new_uuid(),
            project_id=current.project_id,
            user_id=call.caller.user_id,
            volume_id=current.id,
            name=wish.get("name") or "",
            description=wish.get("description") or "",
            size=size,
            metadata=msgspec.json.encode(wish.get("metadata") or {}).decode(),
            kept_as=name,
            created_at=now,
            updated_at=now,
        )
        await add(room, tx, current, row, left=_written([one for one in left if one != name]))
        return row

    row = await room.database.write(write)
    return {"snapshot": snapshots.view.render(call, brief=True)(row, call)}


def _must_be_there(volume: VolumeRow) -> None:
    if volume.status not in ("available", "in-use"):
        raise InvalidVolume(f"status must be available or in-use to manage a snapshot of it, not {volume.status}")


async def _size(room: BlockStorage, volume: VolumeRow, name: str) -> int:
    for facts in await found_on(room, volume.node, volume.backend):
        if facts.id == volume.id and name in facts.snapshots and name in _left(volume):
            return facts.snapshot_sizes[facts.snapshots.index(name)]
    raise _is_not_left(volume, name)


def _is_not_left(volume: VolumeRow, name: str) -> InvalidInput:
    return InvalidInput(f"volume {volume.id} has no {SNAPSHOT}{name} that belongs to nobody")


def _left(volume: VolumeRow) -> list[str]:
    return msgspec.json.decode(volume.left, type=list[str])


def _written(names: list[str]) -> str:
    return msgspec.json.encode(names).decode()


@snapshots.action("os-unmanage", RULE + "snapshot_unmanage", kind=Anything)
async def unmanage(room: BlockStorage, call: Call, row: SnapshotRow) -> None:
    """The snapshot goes from here; what it holds stays in its volume, where it can be managed again."""

    async def write(tx: Transaction) -> None:
        volume = await store.held(room, tx, row.volume_id)
        current = await tx.get(SnapshotRow, id=row.id)
        if current is None or current.status != "available":
            word = current.status if current else "gone"
            raise InvalidSnapshot(f"its status must be available to unmanage it, not {word}")
        if await tx.find(VolumeRow, snapshot_id=row.id, made_size=0, fault="", wanted=True, limit=1):
            raise InvalidSnapshot("a volume is being made of it; wait until that is there")
        amounts = {"snapshots": 1, "gigabytes": current.size}
        await quotas.give_back(room, tx, current.project_id, volume.type_id, **amounts)
        await store.remove_snapshot(tx, row.id)
        await store.order(room, tx, volume.id, left=_written([*_left(volume), on_node(current)]))

    await room.database.write(write)


ROUTES = routes("snapshot", _listed, manage, Field("volume_id", Uuid, create=REQUIRED))
