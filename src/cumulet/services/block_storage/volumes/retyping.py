"""Giving a volume another type: at once where it may stay where it is, else with a move to where the type may be."""

from __future__ import annotations

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Enum, Text
from cumulet.services.block_storage.errors import InvalidInput, InvalidVolume
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types import choice, quotas
from cumulet.services.block_storage.types.row import TypeRow
from cumulet.services.block_storage.volumes import arrival, keys, migration, place, store
from cumulet.services.block_storage.volumes.resource import RULE, volumes
from cumulet.services.block_storage.volumes.row import VolumeRow


@volumes.action(
    "os-retype",
    RULE + "retype",
    Field("new_type", Text(255, 1), create=REQUIRED),
    Field("migration_policy", Enum("never", "on-demand").or_null(), create=OPTIONAL),
)
async def retype(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    kind = await choice.choose(room, row.project_id, call.wish["new_type"], call.caller)
    assert kind is not None
    if kind.id == row.type_id:
        raise InvalidInput(f"volume {row.id} has the type {kind.name} already")
    encryption = keys.wished(kind)
    if encryption != (msgspec.json.decode(row.encryption) if row.encryption else {}):
        raise InvalidInput("a volume keeps its encryption, or its lack of one; make a copy with the other type")
    here = place.pool_of(row)
    stays, pool = await place.find(room, row, kind, only=here) if here else (None, None)
    if pool is not None or stays is None:
        return await _at_once(room, row, kind)
    why = stays.sentence()
    if call.wish.get("migration_policy") != "on-demand":
        raise InvalidInput(f"the type {kind.name} does not fit where the volume is, and it may not move. {why}")
    _must_keep_multiattach(row, kind)
    found, pool = await place.find(room, row, kind, but=here)
    if pool is None:
        raise InvalidInput(found.sentence())
    await migration.begin(room, row, pool, new_type=kind)


async def _at_once(room: BlockStorage, row: VolumeRow, kind: TypeRow) -> None:
    """No byte moves."""

    async def write(tx: Transaction) -> None:
        current = await store.held(room, tx, row.id)
        if current.status not in ("available", "in-use"):
            raise InvalidVolume(f"its status must be available or in-use to retype it, not {current.status}")
        _must_keep_multiattach(current, kind)
        for project, amounts in await arrival.held(tx, current):
            await quotas.move(room, tx, project, current.type_id, kind.id, **amounts)
        await store.change(room, tx, row.id, **arrival.retyped(kind))

    await room.database.write(write)


def _must_keep_multiattach(volume: VolumeRow, kind: TypeRow) -> None:
    if volume.status == "in-use" and arrival.retyped(kind)["multiattach"] != volume.multiattach:
        raise InvalidInput("a volume in use keeps its multiattach; detach it first")
