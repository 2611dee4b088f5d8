"""Snapshots of volumes in use, asked for by a storage service that cannot take them without the machine's help.

Here block storage has its snapshots taken by the machine anyway, inside the volume's file: this is another door to
that. The file that the caller would have a machine go on in is not needed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate
from cumulet.core.errors import BadRequest, CloudError, NotFound
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Enum, Obj, Text, Uuid
from cumulet.lib.ids import is_uuid
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.row import DiskRow

RULE = "os_compute_api:os-assisted-volume-snapshots:"
Wanted = Body(
    "snapshot",
    (
        Field("volume_id", Text(255, 1), create=REQUIRED),
        Field(
            "create_info",
            Obj(
                Field("snapshot_id", Uuid, create=REQUIRED),
                Field("type", Enum("qcow2"), create=REQUIRED),
                Field("new_file", Text(255, 1), create=REQUIRED),
                Field("id", Text(255, 1), create=OPTIONAL),
            ),
            create=REQUIRED,
        ),
    ),
)


class DeleteInfo(msgspec.Struct):
    """What a delete says in its query."""

    volume_id: str


async def create(room: Compute, call: Call) -> dict[str, Any]:
    """Asked again with the same snapshot, nothing new is taken."""
    call.allow(RULE + "create")
    volume_id, info = call.wish["volume_id"], call.wish["create_info"]
    snapshot_id = info["snapshot_id"]
    await refuse_unattached(room, volume_id)
    if await room.volumes.volume_of_snapshot(snapshot_id) not in ("", volume_id):
        raise BadRequest(f"Snapshot {snapshot_id} is of another volume than {volume_id}.")
    try:
        await room.volumes.take_snapshot(volume_id, snapshot_id, call.caller.user_id, info["new_file"])
    except Duplicate:
        pass  # somebody asked for the same at this very moment
    except CloudError as error:
        if error.status >= 500:
            raise
        raise BadRequest(error.message) from error
    return {"snapshot": {"id": info.get("id") or snapshot_id, "volumeId": volume_id}}


async def delete(room: Compute, call: Call) -> None:
    """Of a snapshot that is gone already, nothing is left to do."""
    call.allow(RULE + "delete")
    try:
        volume_id = msgspec.json.decode(call.request.one("delete_info") or "", type=DeleteInfo).volume_id
    except msgspec.DecodeError as error:
        raise BadRequest(f"Invalid input for query parameter delete_info: {error}") from error
    snapshot_id = call.path["snapshot_id"]
    await refuse_unattached(room, volume_id)
    if not is_uuid(snapshot_id):
        raise NotFound(f"Snapshot {snapshot_id[:64]} could not be found.")
    found = await room.volumes.volume_of_snapshot(snapshot_id)
    if found and found != volume_id:
        raise BadRequest(f"Snapshot {snapshot_id} is of another volume than {volume_id}.")
    await room.volumes.drop_snapshot(snapshot_id)


async def refuse_unattached(room: Compute, volume_id: str) -> None:
    """Raises BadRequest where there is no machine that could help."""
    async with room.database.read() as tx:
        disks = await tx.find(DiskRow, volume_id=volume_id, wanted="attached", local=False)
    if not disks:
        raise BadRequest(f"Volume {volume_id[:64]} is not attached to any instance.")


ROUTES = (
    Endpoint("POST", "/os-assisted-volume-snapshots", create, body=Wanted, name="assisted_snapshots"),
    Endpoint("DELETE", "/os-assisted-volume-snapshots/{snapshot_id}", delete, status=204, name="assisted_snapshot"),
)
