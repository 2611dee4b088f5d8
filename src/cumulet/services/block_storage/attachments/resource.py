"""What does a client see of attachments, and what may it do with them?"""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.view import or_null, written
from cumulet.core.web.wire import AnyObject, Anything, Enum, Text, Uuid
from cumulet.lib.clock import iso_micros
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.asking import page_of
from cumulet.services.block_storage.attachments import operations
from cumulet.services.block_storage.errors import AttachmentNotFound, InvalidVolume
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes.resource import volumes
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow

RULE = "volume:attachment_"
READ = "xena_system_admin_or_project_reader"
"""No rule of their own says who may see attachments: those who may see a project's volumes."""
SINCE = "3.27"
MOST_BYTES = 8192
Connector = AnyObject.also(lambda value: _checked(value))


def _checked(connector: dict[str, Any]) -> dict[str, Any]:
    if len(str(connector)) > MOST_BYTES:
        raise ValueError(f"a connector has {MOST_BYTES} characters at the most")
    for name in ("host", "mountpoint"):
        if "\x00" in str(connector.get(name)):
            raise ValueError(f"the {name} of a connector holds a NUL character")
    return connector


attachments = Resource(
    path="/attachments",
    one="attachment",
    many="attachments",
    row=AttachmentRow,
    missing=AttachmentNotFound,
    fields=[
        Field("id", Uuid, brief=True),
        Field("volume_uuid", Uuid, create=REQUIRED, source=""),
        Field("instance_uuid", Uuid.or_null(), create=OPTIONAL, source=""),
        Field("connector", Connector.or_null(), create=OPTIONAL, source=""),
        Field("mode", Enum("rw", "ro"), create=OPTIONAL, since="3.54", source=""),
        Field("status", Text(), brief=True),
        Field("instance", Text(), source=or_null("server_id"), brief=True),
        Field("volume_id", Text(), brief=True),
        Field("attached_at", Text(), source=written("attached_at", iso_micros)),
        Field("detached_at", Text(), source=written("detached_at", iso_micros)),
        Field("attach_mode", Text(), source="mode"),
    ],
    listing=Listing(
        filters=[
            Filter("id"),
            Filter("volume_id"),
            Filter("status"),
            Filter("instance_id", "server_id"),
            Filter("instance_uuid", "server_id"),
            Filter("attach_status", "status"),
            Filter("project_id", rule="context_is_admin"),
        ],
        sorts={name: name for name in ("id", "status", "created_at", "updated_at", "volume_id")},
        all_projects="all_tenants",
    ),
)


async def _page(room: BlockStorage, call: Call, row: AttachmentRow) -> dict[str, Any]:
    """An attachment with the way to its volume."""
    async with room.database.read() as tx:
        volume = await tx.get(VolumeRow, id=row.volume_id)
    known = volume is not None and row.status != "reserved"
    info = operations.connection_of(volume, row) if known and volume else {}
    return {"attachment": {**attachments.show_row(call, row), "connection_info": info}}


@attachments.create(RULE + "create", status=200, since=SINCE)
async def create(room: BlockStorage, call: Call) -> dict[str, Any]:
    wish = call.wish
    volume = await volumes.find(room, call, wish["volume_uuid"])
    call.allow(RULE + "create", volumes.target(volume))
    if volume.bootable and volume.multiattach:
        call.allow("volume:multiattach_bootable_volume", volumes.target(volume))
    if volume.status == "in-use" and not volume.multiattach:
        raise InvalidVolume(f"Volume {volume.id} status must be available or downloading to reserve, not in-use")
    connector = wish.get("connector")

    async def write(tx: Transaction) -> AttachmentRow:
        row = await operations.reserve(
            room,
            tx,
            volume.id,
            new_uuid(),
            server_id=wish.get("instance_uuid") or "",
            mode=wish.get("mode") or "rw",
        )
        return await operations.connect(room, tx, row.id, connector) if connector else row

    return await _page(room, call, await room.database.write(write))


@attachments.list(READ, since=SINCE)
async def index(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, attachments, AttachmentRow, brief=True, counted=False)


@attachments.list(READ, suffix="/detail", since=SINCE)
async def detail(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, attachments, AttachmentRow, brief=False, counted=False)


@attachments.show(READ, since=SINCE)
async def show(room: BlockStorage, call: Call, row: AttachmentRow) -> dict[str, Any]:
    return await _page(room, call, row)


_Update = Body("attachment", (Field("connector", Connector, create=REQUIRED),))


@attachments.item("PUT", RULE + "update", body=_Update, since=SINCE)
async def update(room: BlockStorage, call: Call, row: AttachmentRow) -> dict[str, Any]:
    connector = call.wish["connector"]
    if not connector:
        raise BadRequest("Invalid input for field/attribute connector: it must not be empty")
    operations.must_be_ours(row)
    changed = await room.database.write(lambda tx: operations.connect(room, tx, row.id, connector))
    return await _page(room, call, changed)


@attachments.delete(RULE + "delete", status=200, since=SINCE)
async def delete(room: BlockStorage, call: Call, row: AttachmentRow) -> dict[str, Any]:
    operations.must_be_ours(row)

    async def write(tx: Transaction) -> list[AttachmentRow]:
        await operations.remove(room, tx, row)
        return await tx.find(AttachmentRow, volume_id=row.volume_id, order_by="created_at")

    left = await room.database.write(write)
    render = attachments.view.render(call, brief=True)
    return {"attachments": [render(one, call) for one in left]}


@attachments.action("os-complete", RULE + "complete", kind=Anything, status=204, since="3.44")
async def complete(room: BlockStorage, call: Call, row: AttachmentRow) -> None:
    if row.by_compute:
        return  # the truth about a machine's disks comes from its node
    now = room.clock.now()
    await room.database.write(
        lambda tx: operations.set_to(room, tx, row.id, status="attached", attached_at=row.attached_at or now)
    )
