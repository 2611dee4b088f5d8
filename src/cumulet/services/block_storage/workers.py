"""Cleaning up after services that went away. Reconcilers do that always; asked for, they look at once."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.body import OPTIONAL, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Bool, Enum, Int, Text, Uuid
from cumulet.services.block_storage.backends import VolumeService, services
from cumulet.services.block_storage.errors import InvalidInput
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.services import SCHEDULER, VOLUME
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.row import VolumeRow

MOST = 10_000
_Cleanup = Body(
    "",
    (
        Field("cluster_name", Text().or_null(), create=OPTIONAL),
        Field("service_id", Int(0).or_null(), create=OPTIONAL),
        Field("host", Text().or_null(), create=OPTIONAL),
        Field("binary", Enum(VOLUME, SCHEDULER), create=OPTIONAL),
        Field("is_up", Bool, create=OPTIONAL),
        Field("disabled", Bool, create=OPTIONAL),
        Field("resource_id", Uuid.or_null(), create=OPTIONAL),
        Field("resource_type", Enum("Volume", "Snapshot").or_null(), create=OPTIONAL),
    ),
)


async def cleanup(room: BlockStorage, call: Call) -> dict[str, Any]:
    """Have looked at what is not settled on the services meant: those that are down, unless told otherwise."""
    call.allow("workers:cleanup")
    wish = call.wish
    if wish.get("resource_id") and not wish.get("resource_type"):
        raise InvalidInput("resource_type: say whether resource_id is that of a Volume or a Snapshot")
    shown = []
    for number, one in enumerate(await services(room), 1):
        if (
            wish.get("service_id") in (None, number)
            and (wish.get("host") is None or one.is_called(wish["host"]))
            and wish.get("cluster_name") in (None, one.cluster)
            and wish.get("binary", VOLUME) == VOLUME
            and wish.get("is_up", False) == one.up
            and wish.get("disabled", one.disabled) == one.disabled
        ):
            shown.append({"id": number, "host": one.host, "binary": VOLUME, "cluster_name": one.cluster or None})
            await _wake(room, one, await _volume(room, wish))
    return {"cleaning": shown, "unavailable": []}


async def _volume(room: BlockStorage, wish: dict[str, Any]) -> str:
    """The volume that is meant, or that of the snapshot that is; empty: any."""
    key: str = wish.get("resource_id") or ""
    if wish.get("resource_type") != "Snapshot" or not key:
        return key
    async with room.database.read() as tx:
        snapshot = await tx.get(SnapshotRow, id=key)
    return snapshot.volume_id if snapshot else key


async def _wake(room: BlockStorage, one: VolumeService, volume_id: str) -> None:
    only = {"id": volume_id} if volume_id else {}
    async with room.database.read() as tx:
        waiting = await tx.find(
            VolumeRow, node=one.node.name, backend=one.facts.name, unsettled=True, limit=MOST, **only
        )
    for volume in waiting:
        room.bus.wake(store.TOPIC, volume.id)


ROUTES = (Endpoint("POST", "/workers/cleanup", cleanup, 202, since="3.24", body=_Cleanup, name="workers_cleanup"),)
