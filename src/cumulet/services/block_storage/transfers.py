"""Transfers: a volume changes its owner, when who gets it shows the key that its owner was given."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Name, Ref, Row, Short, Transaction, stored
from cumulet.core.errors import BadRequest
from cumulet.core.room import Room
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.view import or_null, written
from cumulet.core.web.wire import Anything, Bool, Int, OneOf, Text, Uuid
from cumulet.lib.clock import iso_micros
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.asking import page_of
from cumulet.services.block_storage.errors import InvalidVolume, TransferNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.types import quotas
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.resource import volumes
from cumulet.services.block_storage.volumes.row import VolumeRow

RULE = "volume:"
HOLD = "awaiting-transfer"
NEW = "3.55"
KEY_BYTES = 8


@stored(
    "block_storage_transfers",
    sa.Index("block_storage_transfers_project", "project_id", "created_at"),
    sa.Index("block_storage_transfers_volume", "volume_id"),
)
class TransferRow(Row):
    """An offer of a volume. Of its key only a digest is kept."""

    id: Id
    project_id: Ref
    """Who offers."""
    destination_project_id: Ref
    volume_id: Ref
    name: Name
    salt: Short
    digest: Short
    no_snapshots: bool
    accepted: bool
    created_at: Instant


def _links(row: TransferRow, call: Call) -> list[dict[str, str]]:
    tail = f"{row.project_id}/os-volume-transfer/{row.id}"
    return [
        {"rel": "self", "href": f"{call.base}/{tail}"},
        {"rel": "bookmark", "href": f"{call.base.rpartition('/v3')[0]}/{tail}"},
    ]


def _digest(salt: str, key: str) -> str:
    return hashlib.sha256(f"{salt}:{key}".encode()).hexdigest()


_NEWER = (
    Field("no_snapshots", Bool, create=OPTIONAL, since=NEW),
    Field("source_project_id", Text(), source="project_id", since="3.57"),
    Field("destination_project_id", Text(), source=or_null("destination_project_id"), since="3.57"),
    Field("accepted", Bool, since="3.57"),
)
FIELDS = (
    Field("id", Uuid, brief=True),
    Field("volume_id", Uuid, create=REQUIRED, brief=True),
    Field("name", Text().or_null(), create=OPTIONAL, source=or_null("name"), brief=True),
    Field("created_at", Text(), source=written("created_at", iso_micros)),
    Field("links", Anything, source=_links, brief=True),
)
LISTING = Listing(
    filters=[Filter("id"), Filter("name"), Filter("volume_id")],
    sorts={name: name for name in ("id", "name", "volume_id", "created_at")},
    all_projects="all_tenants",
)
_Accept = Body("accept", (Field("auth_key", OneOf(Text(255), Int()), create=REQUIRED),))


async def _find(room: Room, call: Call, key: str) -> TransferRow | None:
    """Anybody may look at an offer whose id he knows only to accept it; the list and the page are its owner's."""
    async with room.database.read() as tx:
        row = await tx.get(TransferRow, id=key[:64])
    if row is None or row.project_id == call.caller.project_id or call.may("context_is_admin"):
        return row
    return row if call.request.path.endswith("/accept") else None


def _noun(path: str, fields: Sequence[Field]) -> Resource:
    return Resource(
        path=path,
        one="transfer",
        many="transfers",
        row=TransferRow,
        missing=TransferNotFound,
        fields=fields,
        listing=LISTING,
        load=_find,
        target=lambda row: {"project_id": row.project_id},
    )


def _declare(noun: Resource, since: str) -> None:
    @noun.create(RULE + "create_transfer", status=202, since=since)
    async def create(room: BlockStorage, call: Call) -> dict[str, Any]:
        volume = await volumes.find(room, call, call.wish["volume_id"])
        call.allow(RULE + "create_transfer", volumes.target(volume))
        key, salt = secrets.token_hex(KEY_BYTES), secrets.token_hex(KEY_BYTES)
        row = TransferRow(
            id=new_uuid(),
            project_id=volume.project_id,
            destination_project_id="",
            volume_id=volume.id,
            name=call.wish.get("name") or "",
            salt=salt,
            digest=_digest(salt, key),
            no_snapshots=call.wish.get("no_snapshots", False),
            accepted=False,
            created_at=room.clock.now(),
        )

        async def write(tx: Transaction) -> None:
            current = await store.held(room, tx, volume.id)
            if current.encryption_key_id:
                raise InvalidVolume("transferring an encrypted volume is not supported")
            if current.group_id:
                # Else who has the group could delete what is not his any more.
                raise InvalidVolume(f"it belongs to group {current.group_id}; remove it from there first")
            if current.status != "available":
                raise InvalidVolume(f"status must be available to be transferred, not {current.status}")
            taken = await tx.count(SnapshotRow, volume_id=volume.id, wanted=True)
            if taken and not since:
                raise InvalidVolume("it has snapshots; since 3.55 they can go with it or be left behind")
            await tx.insert(row)
            await store.change(room, tx, volume.id, hold=HOLD)

        await room.database.write(write)
        return {"transfer": {**noun.show_row(call, row), "auth_key": key}}

    @noun.list(RULE + "get_all_transfers", since=since)
    async def index(room: BlockStorage, call: Call) -> Listed:
        return await page_of(room, call, noun, TransferRow, brief=True, counted=False)

    @noun.list(RULE + "get_all_transfers", suffix="/detail", since=since)
    async def detail(room: BlockStorage, call: Call) -> Listed:
        return await page_of(room, call, noun, TransferRow, brief=False, counted=False)

    @noun.show(RULE + "get_transfer", since=since)
    async def show(room: BlockStorage, call: Call, row: TransferRow) -> TransferRow:
        return row

    @noun.delete(RULE + "delete_transfer", status=202, since=since)
    async def delete(room: BlockStorage, call: Call, row: TransferRow) -> None:
        async def write(tx: Transaction) -> None:
            await tx.delete(TransferRow, id=row.id)
            volume = await tx.get(VolumeRow, id=row.volume_id)
            if volume is not None and volume.hold == HOLD:
                await store.change(room, tx, row.volume_id, hold="")

        await room.database.write(write)

    @noun.item("POST", "", suffix="/accept", status=202, body=_Accept, since=since)
    async def accept(room: BlockStorage, call: Call, row: TransferRow) -> dict[str, Any]:
        call.allow(RULE + "accept_transfer")
        if not hmac.compare_digest(_digest(row.salt, str(call.wish["auth_key"])), row.digest):
            raise BadRequest("Invalid auth key: Attempt to transfer the volume with an invalid auth key.")
        await _accept(room, call, row)
        render = noun.view.render(call, brief=True)
        return {"transfer": render(row, call)}


async def _accept(room: BlockStorage, call: Call, row: TransferRow) -> None:
    receiver, user = call.caller.project_id, call.caller.user_id

    async def write(tx: Transaction) -> None:
        volume = await store.held(room, tx, row.volume_id)
        if volume.hold != HOLD or not await tx.get(TransferRow, id=row.id):
            raise InvalidVolume(f"it is {volume.status}, no longer awaiting a transfer")
        snapshots = await tx.find(SnapshotRow, volume_id=volume.id, wanted=True)
        moved = [] if row.no_snapshots else snapshots
        gib = volume.size + sum(one.size for one in moved)
        amounts = {"volumes": 1, "gigabytes": gib, "snapshots": len(moved)}
        await quotas.take(room, tx, receiver, volume.type_id, **amounts)
        await quotas.give_back(room, tx, volume.project_id, volume.type_id, **amounts)
        for one in moved:
            await store.set_snapshot(room, tx, one.id, project_id=receiver, user_id=user)
        await store.change(room, tx, volume.id, project_id=receiver, user_id=user, hold="")
        await tx.delete(TransferRow, id=row.id)

    await room.database.write(write)


old_transfers, transfers = _noun("/os-volume-transfer", FIELDS), _noun("/volume-transfers", (*FIELDS, *_NEWER))
_declare(old_transfers, "")
_declare(transfers, NEW)
