"""Images of servers: begun by an action, filled by a one-shot that carries the disk from node to image store.

The image of a server that boots from a volume holds no bytes: it says of which snapshots its volumes are to be made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Instant, Json, Query, Ref, Row, Short, Transaction, stored
from cumulet.core.errors import BadRequest, CloudError, Conflict
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.core.web.body import OPTIONAL, REQUIRED
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Int, Name, Text
from cumulet.lib.clock import SECOND
from cumulet.lib.ids import new_uuid
from cumulet.services.compute.history import finish_action
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.actions import API, SERVERS, given
from cumulet.services.compute.servers.admission import within
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.operations import VERBS, Alter, act, check
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import DiskRow, ServerRow, Wanted
from cumulet.services.compute.servers.store import note
from cumulet.services.compute.servers.tell import json_of
from cumulet.services.compute.servers.wishes import ServerMetadata

ATTEMPTS = 3
RETRY_SECONDS = 5.0
LOOK_AGAIN = 1.0
INTENT = "intent"
INTENT_SECONDS = 60
ACTIONS = {"snapshot": "createImage", "backup": "createBackup"}
DEADLINE = 6 * 3600 * SECOND

# What a new image does not take over from the one its server was made of.
_NOT_INHERITED = frozenset({"min_disk", "min_ram", "disk_format", "container_format", "cache_in_nova", "bittorrent"})


@stored("compute_snapshots", sa.Index("compute_snapshots_server", "server_id"))
class SnapshotRow(Row):
    """An image that a server's disk is being copied into. The row goes when that ended."""

    id: Annotated[str, sa.String(36), PRIMARY]
    """The image's."""
    server_id: Ref
    kind: Short
    """`snapshot`, `backup` or `shelve`; `intent` until the server's row says so too."""
    rotation: int
    copies: Json
    """What the image stands for when it has no bytes: snapshots that are to be taken of volumes."""
    attempts: int
    created_at: Instant


class Copy(msgspec.Struct):
    """A snapshot that belongs to an image."""

    volume_id: str
    snapshot_id: str
    name: str


_copies = msgspec.json.Decoder(list[Copy])


def mapping_of(disk: DiskRow, snapshot_id: str) -> dict[str, Any]:
    """How the image says that a server made of it is to have a copy of this disk."""
    return {
        "source_type": "snapshot",
        "destination_type": "volume",
        "snapshot_id": snapshot_id,
        "volume_id": None,
        "image_id": None,
        "no_device": None,
        "volume_size": disk.size,
        "volume_type": None,
        "device_name": f"/dev/{disk.device}",
        "device_type": disk.device_type or "disk",
        "disk_bus": disk.bus or "virtio",
        "guest_format": None,
        "boot_index": disk.boot_index if disk.boot_index >= 0 else None,
        "delete_on_termination": disk.delete_on_termination,
        "tag": disk.tag or None,
    }


def properties_of(row: ServerRow, kind: str, metadata: dict[str, str]) -> dict[str, str]:
    """What an image says of the server that it was made of."""
    kept = {
        name: value
        for name, value in msgspec.json.decode(row.image).items()
        if name not in _NOT_INHERITED and not name.startswith(("os_hash", "signature"))
    }
    return {
        **kept,
        "instance_uuid": row.id,
        "user_id": row.user_id,
        "image_type": kind,
        "base_image_ref": row.image_id,
        **metadata,
    }


async def begin(
    room: Compute, call: Call, row: ServerRow, name: str, kind: str, metadata: dict[str, str], more: dict[str, str]
) -> str:
    """A queued image for this server's disk."""
    image_id, of_volumes = new_uuid(), not row.image_ref
    flavor = flavor_of(row)
    copies: list[Copy] = []
    if of_volumes:
        async with room.database.read() as tx:
            disks = await tx.find(DiskRow, server_id=row.id, wanted="attached", local=False, order_by="device")
        copies = [Copy(disk.volume_id, new_uuid(), f"snapshot for {name}"[:255]) for disk in disks]
        mappings = [mapping_of(disk, copy.snapshot_id) for disk, copy in zip(disks, copies, strict=True)]
        more = more | {
            "block_device_mapping": json_of(mappings), "bdm_v2": "True", "root_device_name": row.root_device,
        }  # fmt: skip
    # Written down before the image is made: should this request end in the middle, the image is found and taken back.
    intent = SnapshotRow(image_id, row.id, INTENT, 0, json_of(copies), 0, room.clock.now())
    await room.database.write(lambda tx: tx.insert(intent))
    try:
        await room.images.create_for_snapshot(
            call.caller,
            image_id,
            name,
            properties_of(row, kind, metadata) | more,
            disk_format="raw" if of_volumes else "qcow2",
            min_disk=0 if of_volumes else flavor.disk,
            min_ram=0,
        )
    except CloudError:
        await drop(room, image_id)
        raise
    return image_id


async def drop(room: Compute, image_id: str) -> None:
    """Nobody wants this image any more."""
    await room.images.abandon(image_id)
    await room.database.write(lambda tx: tx.delete(SnapshotRow, id=image_id))


async def start(
    room: Compute, call: Call, row: ServerRow, verb: str, image_id: str, kind: str, rotation: int, alter: Alter
) -> None:
    """Store the wish that an image begun before is filled, together with what it means for its server."""

    async def also(tx: Transaction, found: ServerRow) -> None:
        values = {"kind": kind, "rotation": rotation, "created_at": room.clock.now()}
        if not await tx.update(SnapshotRow, {"id": image_id, "kind": INTENT}, **values):
            raise Conflict(f"The image of instance {row.id} took too long to begin. Ask again.")
        tx.wake("snapshot", image_id)

    try:
        await act(room, call, row, verb, alter, also)
    except CloudError:
        await drop(room, image_id)
        raise


def with_job(kind: str) -> Alter:
    """What a server shows while its disk is being copied."""

    def alter(found: ServerRow) -> None:
        found.job = "image_snapshot" if kind == "snapshot" else "image_backup"

    return alter


@servers.action(
    "createImage",
    SERVERS + "create_image",
    given("name", Name),
    given("metadata", ServerMetadata, OPTIONAL),
)
async def create_image(room: Compute, call: Call, row: ServerRow) -> Response:
    check(call, row, VERBS["createImage"])
    metadata = call.wish.get("metadata") or {}
    async with room.database.read() as tx:
        limits = await room.quota.limits(tx, call.caller.project_id)
    within(len(metadata), limits["metadata_items"], "Image metadata limit exceeded:")
    image_id = await begin(room, call, row, call.wish["name"], "snapshot", metadata, {})
    await start(room, call, row, "createImage", image_id, "snapshot", 0, with_job("snapshot"))
    return begun(call, image_id)


def begun(call: Call, image_id: str) -> Response:
    """Where the image is: in a header at first, in the body later."""
    if call.version >= version("2.45"):
        return Response.json(202, {"image_id": image_id})
    return Response(202, headers={"Location": f"{call.base.rpartition('/')[0]}/images/{image_id}"})


@servers.action(
    "createBackup",
    API + "os-create-backup",
    given("name", Name),
    given("backup_type", Text(255)),
    given("rotation", Int(0), REQUIRED),
    given("metadata", ServerMetadata, OPTIONAL),
)
async def create_backup(room: Compute, call: Call, row: ServerRow) -> Response:
    wish = call.wish
    check(call, row, VERBS["createBackup"])
    if not row.image_ref:
        raise BadRequest("Backup is not supported for volume-backed instances.")
    kind = {"backup_type": wish["backup_type"]}
    image_id = await begin(room, call, row, wish["name"], "backup", wish.get("metadata") or {}, kind)
    await start(room, call, row, "createBackup", image_id, "backup", wish["rotation"], with_job("backup"))
    return begun(call, image_id)


class SnapshotReconciler:
    """Fills the images of servers, one after the other's own time."""

    topic = "snapshot"
    also: tuple[str, ...] = ()

    def __init__(self, room: Compute) -> None:
        self.room = room

    async def step(self, key: str) -> Outcome:
        async with self.room.database.read() as tx:
            row = await tx.get(SnapshotRow, id=key)
            server = await tx.get(ServerRow, id=row.server_id) if row else None
        if row is None:
            return Done()
        now = self.room.clock.now()
        if row.kind == INTENT:
            if now - row.created_at < INTENT_SECONDS * SECOND:
                return Again(INTENT_SECONDS, "its request may still be at work")
            await drop(self.room, key)
            return Done()
        if server is None or server.deleted_at or server.wanted == Wanted.GONE or not server.host:
            return await self.end(row, failed="The server is no longer there.")
        if row.copies != "[]":
            return await self.take_copies(row, server.user_id, now)
        if row.attempts >= ATTEMPTS or now - row.created_at > DEADLINE:
            return await self.end(row, failed="The disk could not be copied.")
        await self.room.database.write(lambda tx: tx.update(SnapshotRow, {"id": key}, attempts=row.attempts + 1))
        pieces = self.room.fleet.stream(server.host, "snapshot", machine=server.id, disk="root", format="qcow2")
        try:
            await self.room.images.upload(key, pieces)
        except CloudError as error:
            if error.status in (404, 409, 413):
                return await self.end(row, failed=error.message)
            return Again(RETRY_SECONDS, error.message)
        if row.kind == "backup":
            await self.rotate(row, server)
        return await self.end(row)

    async def take_copies(self, row: SnapshotRow, user_id: str, now: int) -> Outcome:
        """The image is whole when all its snapshots are."""
        waiting = False
        for copy in _copies.decode(row.copies):
            try:
                status = await self.room.volumes.take_snapshot(copy.volume_id, copy.snapshot_id, user_id, copy.name)
            except CloudError as error:
                if error.status >= 500:
                    return Again(RETRY_SECONDS, error.message)
                return await self.end(row, failed=error.message)
            if status not in ("creating", "available"):
                return await self.end(
                    row, failed=f"Snapshot {copy.snapshot_id} of volume {copy.volume_id} is {status}."
                )
            waiting = waiting or status == "creating"
        if waiting and now - row.created_at > DEADLINE:
            return await self.end(row, failed="The snapshots of its volumes were not taken in time.")
        if waiting:
            return Again(LOOK_AGAIN, "the snapshots of its volumes are being taken")
        try:
            await self.room.images.upload(row.id, nothing())
        except CloudError as error:
            return await self.end(row, failed=error.message)
        return await self.end(row)

    async def rotate(self, row: SnapshotRow, server: ServerRow) -> None:
        """Of a server's backups of one type only the newest stay, as many as were asked for."""
        backups = [
            image
            for image in await self.room.images.with_property(server.project_id, "instance_uuid", server.id)
            if image.properties.get("image_type") == "backup"
        ]
        type_of = {image.id: image.properties.get("backup_type") for image in backups}
        same = [image.id for image in backups if type_of[image.id] == type_of.get(row.id)]
        for image_id in same[: max(0, len(same) - row.rotation)]:
            await self.room.images.delete(image_id)

    async def end(self, row: SnapshotRow, *, failed: str = "") -> Outcome:
        """The server is told, and the image of a failure goes."""
        if failed:
            await self.room.images.abandon(row.id)
            for copy in _copies.decode(row.copies):
                await self.room.volumes.drop_snapshot(copy.snapshot_id)

        def alter(server: ServerRow) -> None:
            server.job = ""
            if failed and row.kind == "shelve" and server.wanted == Wanted.SHELVED:
                # Without its image it could not come back: it stays where it is.
                server.wanted, server.shelved_image_id = Wanted.STOPPED, ""

        await note(self.room, row.server_id, alter)

        async def write(tx: Transaction) -> None:
            await tx.delete(SnapshotRow, id=row.id)
            if row.kind != "shelve":  # a shelved server is not off its host yet
                await finish_action(tx, row.server_id, ACTIONS[row.kind], self.room.clock.now(), error=failed)
            tx.wake("server", row.server_id)

        await self.room.database.write(write)
        return Done()

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        async with self.room.database.read() as tx:
            return [key for (key,) in await tx.tuples(_keys(), {"after": after, "most": limit})]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return await self.unsettled(after, limit)


async def nothing() -> AsyncIterator[bytes]:
    """The bytes of an image that has none."""
    return
    yield b""


@cache
def _keys() -> Query:
    return Query(
        sa.select(SnapshotRow.c.id)
        .where(SnapshotRow.c.id > sa.bindparam("after", type_=sa.String))
        .order_by(SnapshotRow.c.id)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )
