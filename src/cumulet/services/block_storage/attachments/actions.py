"""The older verbs by which a volume was attached, in the times before attachments were a noun."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import AnyObject, Anything, Enum, Text, Uuid
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.attachments import operations
from cumulet.services.block_storage.errors import InvalidVolume
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.resource import volumes
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow

RULE = "volume_extension:volume_actions:"


@volumes.action(
    "os-attach",
    RULE + "attach",
    Field("instance_uuid", Uuid.or_null(), create=OPTIONAL),
    Field("host_name", Text(255).or_null(), create=OPTIONAL),
    Field("mountpoint", Text(255, 1), create=REQUIRED),
    Field("mode", Enum("rw", "ro"), create=OPTIONAL),
)
async def attach(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    wish = call.wish
    server, host = wish.get("instance_uuid") or "", wish.get("host_name") or ""
    if bool(server) == bool(host):
        raise BadRequest("Invalid request to attach volume to an invalid target: give instance_uuid or host_name.")
    mode = wish.get("mode") or "rw"
    if row.read_only == "True" and mode == "rw":
        raise InvalidVolume("it is read-only and can be attached in mode ro alone")

    async def write(tx: Transaction) -> None:
        volume = await store.held(room, tx, row.id)
        if volume.hold == "attaching":
            await store.change(room, tx, row.id, hold="")
        made = await operations.reserve(room, tx, row.id, new_uuid(), server_id=server, mode=mode)
        now = room.clock.now()
        values = {"status": "attached", "host": host, "device": wish["mountpoint"], "attached_at": now}
        await operations.set_to(room, tx, made.id, **values)

    await room.database.write(write)


async def _detach(room: BlockStorage, row: VolumeRow, attachment_id: str) -> None:
    async def write(tx: Transaction) -> None:
        found = await tx.find(AttachmentRow, volume_id=row.id)
        chosen = [one for one in found if attachment_id in ("", one.id)]
        if not attachment_id and len(chosen) > 1:
            raise InvalidVolume("it has several attachments; say which attachment_id")
        if attachment_id and not chosen:
            raise InvalidVolume(f"attachment {attachment_id[:64]} is not one of volume {row.id}")
        for one in chosen:
            operations.must_be_ours(one)
            await operations.remove(room, tx, one)
        await store.change(room, tx, row.id, hold="", forced_status="")

    await room.database.write(write)


@volumes.action("os-detach", RULE + "detach", Field("attachment_id", Uuid.or_null(), create=OPTIONAL))
async def detach(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    await _detach(room, row, call.wish.get("attachment_id") or "")


@volumes.action(
    "os-force_detach",
    "volume_extension:volume_admin_actions:force_detach",
    Field("attachment_id", Uuid.or_null(), create=OPTIONAL),
    Field("connector", Anything, create=OPTIONAL),
)
async def force_detach(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    await _detach(room, row, call.wish.get("attachment_id") or "")


async def _hold(room: BlockStorage, row: VolumeRow, hold: str, *, states: tuple[str, ...]) -> None:
    async def write(tx: Transaction) -> None:
        volume = await store.held(room, tx, row.id)
        if volume.status not in states and not (volume.multiattach and hold == "attaching"):
            raise InvalidVolume(f"its status must be {' or '.join(states)}, not {volume.status}")
        await store.change(room, tx, row.id, hold=hold)

    await room.database.write(write)


@volumes.action("os-reserve", RULE + "reserve", kind=Anything)
async def reserve(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    await _hold(room, row, "attaching", states=("available",))


@volumes.action("os-unreserve", RULE + "unreserve", kind=Anything)
async def unreserve(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    if row.hold == "attaching":
        await _hold(room, row, "", states=("attaching",))


@volumes.action("os-begin_detaching", RULE + "begin_detaching", kind=Anything)
async def begin_detaching(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    await _hold(room, row, "detaching", states=("in-use",))


@volumes.action("os-roll_detaching", RULE + "roll_detaching", kind=Anything)
async def roll_detaching(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    if row.hold == "detaching":
        await _hold(room, row, "", states=("detaching",))


_CONNECTOR = Field("connector", AnyObject, create=REQUIRED)


@volumes.action("os-initialize_connection", RULE + "initialize_connection", _CONNECTOR, status=200)
async def initialize_connection(room: BlockStorage, call: Call, row: VolumeRow) -> dict[str, Any]:
    if not row.made_size:
        raise InvalidVolume(f"volume {row.id} is {row.status}; wait until it is made")
    data = operations.connection_of(row, None)
    kind = data.pop("driver_volume_type")
    return {"connection_info": {"driver_volume_type": kind, "data": data}}


@volumes.action("os-terminate_connection", RULE + "terminate_connection", _CONNECTOR)
async def terminate_connection(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    """The way to a file on its node needs no undoing, but what a server uses may not be taken from it this way."""
    async with room.database.read() as tx:
        for attachment in await tx.find(AttachmentRow, volume_id=row.id):
            operations.must_be_ours(attachment)
