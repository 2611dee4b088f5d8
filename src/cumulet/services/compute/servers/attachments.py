"""The volumes of a server: attached and detached while it lives."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.errors import BadRequest, CloudError, Conflict
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import parse_limit
from cumulet.core.web.request import Response
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Bool, Text, Uuid
from cumulet.lib.ids import new_uuid
from cumulet.lib.numbers import whole
from cumulet.services.compute.errors import AttachmentNotFound
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.block_devices import short
from cumulet.services.compute.servers.operations import VERBS, act, check
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import DiskRow, ServerRow
from cumulet.services.compute.servers.spec import free_device
from cumulet.services.compute.servers.tell import json_of, volumes
from cumulet.services.compute.servers.wishes import DeviceName, DeviceTag

RULE = "os_compute_api:os-volumes-attachments:"
TAGGED, FLAGGED, BY_UUID = version("2.70"), version("2.79"), version("2.89")


def shown(call: Call, disk: DiskRow, *, made: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "serverId": disk.server_id,
        "volumeId": disk.volume_id,
        "device": f"/dev/{disk.device}",
    }
    if call.version < BY_UUID or made:
        found["id"] = disk.volume_id
    else:
        found |= {"attachment_id": disk.id, "bdm_uuid": disk.id}
    if call.version >= TAGGED:
        found["tag"] = disk.tag or None
    if call.version >= FLAGGED:
        found["delete_on_termination"] = disk.delete_on_termination
    return found


async def disks_of(room: Compute, row: ServerRow) -> list[DiskRow]:
    """Its volumes; those on their way out until they are."""
    async with room.database.read() as tx:
        return [disk for disk in await tx.find(DiskRow, server_id=row.id, order_by="created_at") if not disk.local]


async def disk_of(room: Compute, row: ServerRow, volume_id: str) -> DiskRow:
    for disk in await disks_of(room, row):
        if disk.volume_id == volume_id:
            return disk
    raise AttachmentNotFound(f"Instance {row.id} is not attached to volume {volume_id[:64]}")


@servers.item("GET", RULE + "index", suffix="/os-volume_attachments")
async def index(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    request = call.request
    limit = parse_limit(request.one("limit"), 1000)
    try:
        offset = whole(request.one("offset") or "0")
    except ValueError as error:
        raise BadRequest(f"Invalid input for query parameter offset: {error}") from error
    found = await disks_of(room, row)
    return {"volumeAttachments": [shown(call, disk) for disk in found[offset : offset + limit]]}


@servers.item("GET", RULE + "show", suffix="/os-volume_attachments/{volume_id}")
async def show(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    return {"volumeAttachment": shown(call, await disk_of(room, row, call.path["volume_id"]))}


Attach = Body(
    "volumeAttachment",
    (
        Field("volumeId", Uuid, create=REQUIRED),
        Field("device", DeviceName.or_null(), create=OPTIONAL),
        Field("tag", DeviceTag, create=OPTIONAL, since="2.49"),
        Field("delete_on_termination", Bool, create=False, since="2.79"),
    ),
)


@servers.item("POST", RULE + "create", suffix="/os-volume_attachments", body=Attach)
async def attach(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    wish = call.wish
    check(call, row, VERBS["attach_volume"])
    volume = await room.volumes.get(call.caller, wish["volumeId"])
    if volume.multiattach and volume.status == "in-use" and call.version < version("2.60"):
        raise BadRequest("Attaching a volume that other servers have needs microversion 2.60.")
    if volume.node and row.host and volume.node != row.host:
        raise BadRequest(
            f"Invalid volume: {volume.id} lies on another host than instance {row.id} and cannot be reached."
        )
    disk = DiskRow(
        id=new_uuid(),
        server_id=row.id,
        created_at=room.clock.now(),
        wanted="attached",
        source="volume",
        source_id=volume.id,
        local=False,
        volume_id=volume.id,
        volume_type="",
        size=volume.size,
        device=short(wish.get("device") or ""),
        boot_index=-1,
        format="",
        bus="",
        device_type="",
        delete_on_termination=wish.get("delete_on_termination", False),
        tag=wish.get("tag", ""),
        multiattach=volume.multiattach,
        node=volume.node,
        new_image="",
        reimage=0,
        reserved=False,
        connected=False,
        connection="",
        target="",
        moves=0,
    )
    # The promise comes first, under the id that the disk will have: refused, nothing was written here. Were this
    # process to end before it writes, the promise is found by its server's id and taken back.
    try:
        await room.volumes.reserve(volume.id, row.id, disk.id)
    except Conflict as error:
        raise BadRequest(f"Invalid volume: {error.message}") from error
    disk.reserved = True
    try:
        await add(room, call, row, disk)
    except (CloudError, Duplicate) as error:
        await room.volumes.release(disk.id)
        if isinstance(error, Duplicate):
            raise Conflict(f"volume {volume.id} already attached, or device /dev/{disk.device} in use") from error
        raise
    if row.offloaded:
        # No machine will say that it has the volume: for now it is the server's by this word alone.
        await room.volumes.connected(disk.id)
    return {"volumeAttachment": shown(call, disk, made=True)}


async def add(room: Compute, call: Call, row: ServerRow, disk: DiskRow) -> None:
    """Give the server a disk, at the device asked for or the next free one."""
    asked = disk.device

    async def also(tx: Transaction, found: ServerRow) -> None:
        others = await tx.find(DiskRow, server_id=row.id)
        taken = {other.device for other in others}
        if found.image_ref:
            taken.add(found.root_device.rpartition("/")[2])
        if asked in taken:
            raise Conflict(f"The device /dev/{asked} is in use on instance {row.id}.")
        disk.device = asked or free_device(taken)
        await tx.insert(disk)
        found.volumes = json_of(volumes([*others, disk]))

    await act(room, call, row, "attach_volume", lambda found: None, also)


@servers.item("DELETE", RULE + "delete", status=202, suffix="/os-volume_attachments/{volume_id}")
async def detach(room: Compute, call: Call, row: ServerRow) -> None:
    disk = await disk_of(room, row, call.path["volume_id"])
    if disk.boot_index == 0 and row.vm_state != "shelved_offloaded":
        raise Conflict("Cannot detach a root device volume")
    if disk.wanted == "gone":
        raise Conflict(f"Volume {disk.volume_id} is being detached already.")

    async def also(tx: Transaction, found: ServerRow) -> None:
        if not await tx.update(DiskRow, {"id": disk.id, "target": ""}, wanted="gone"):
            raise Conflict(f"Volume {disk.volume_id} is on its way to another backend; detach it when it has arrived.")

    await act(room, call, row, "detach_volume", lambda found: None, also)


Update = Body(
    "volumeAttachment",
    (
        Field("volumeId", Uuid, create=REQUIRED),
        Field("id", Text(255), create=OPTIONAL, since="2.85"),
        Field("device", DeviceName.or_null(), create=OPTIONAL, since="2.85"),
        Field("serverId", Uuid, create=OPTIONAL, since="2.85"),
        Field("tag", DeviceTag.or_null(), create=OPTIONAL, since="2.85"),
        Field("delete_on_termination", Bool, create=OPTIONAL, since="2.85"),
    ),
)


@servers.item("PUT", RULE + "update", status=202, suffix="/os-volume_attachments/{volume_id}", body=Update)
async def update(room: Compute, call: Call, row: ServerRow) -> Response:
    """From 2.85: whether the volume goes with its server. Putting another volume in its place is block storage's."""
    wish = call.wish
    disk = await disk_of(room, row, call.path["volume_id"])
    if wish["volumeId"] != disk.volume_id:
        call.allow(RULE + "swap", servers.target(row))
        raise Conflict(
            f"Volume {disk.volume_id} is not being copied to volume {wish['volumeId']}. Ask block storage to migrate "
            "or to retype it: it keeps its id and its attachment. To have another volume, attach that and detach this."
        )
    keep = wish.get("delete_on_termination")
    if keep is None:
        raise BadRequest("Invalid input: delete_on_termination is what can be changed")
    await room.database.write(lambda tx: tx.update(DiskRow, {"id": disk.id}, delete_on_termination=keep))
    room.bus.wake("server", row.id)
    return Response(202)
