"""Records of backups: what a cloud that lost its database, or another one over the same store, needs to know of one."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Text
from cumulet.lib.ids import is_uuid
from cumulet.services.block_storage.backups import store
from cumulet.services.block_storage.backups.resource import backups, brief
from cumulet.services.block_storage.backups.row import BackupRow
from cumulet.services.block_storage.errors import InvalidBackup, InvalidInput
from cumulet.services.block_storage.room import BlockStorage

SERVICE = "cinder.backup.drivers.cumulet"
"""Who can read such a record; clients know the driver of a backup by the begin of this name."""
MOST_GIB = 1 << 20
LONGEST = 64 * 1024
LATEST = 1 << 57
"""In the year 6536: an instant that can still be written as a date."""
_DIGEST = 64


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """A backup as it is written down."""

    id: str
    volume_id: str
    size: int
    object_id: str
    table_start: int
    table_length: int
    table_digest: str
    data_timestamp: int
    name: str = ""
    description: str = ""
    availability_zone: str = ""
    container: str = ""
    metadata: dict[str, str] = {}
    snapshot_id: str = ""
    parent_id: str = ""


@backups.item("GET", "backup:export-import", suffix="/export_record")
async def export_record(room: BlockStorage, call: Call, row: BackupRow) -> dict[str, Any]:
    if row.status != "available":
        raise InvalidBackup(f"Backup status must be available and not {row.status}.")
    plain = {name: getattr(row, name) for name in Record.__struct_fields__ if name != "metadata"}
    record = Record(**plain, metadata=msgspec.json.decode(row.metadata))
    url = base64.b64encode(msgspec.json.encode(record)).decode()
    return {"backup-record": {"backup_service": SERVICE, "backup_url": url}}


_Import = Body(
    "backup-record",
    (
        Field("backup_service", Text(255, 1), create=REQUIRED),
        Field("backup_url", Text(LONGEST, 1), create=REQUIRED),
    ),
)


@backups.collection("POST", "backup:backup-import", status=201, suffix="/import_record", body=_Import)
async def import_record(room: BlockStorage, call: Call) -> dict[str, Any]:
    """The backup is creating until its bytes were found in the store."""
    wish = call.wish
    if wish["backup_service"] != SERVICE:
        raise InvalidInput(f"this cloud reads records of {SERVICE}, not of {wish['backup_service']}")
    record = _read(wish["backup_url"])
    now = room.clock.now()
    row = BackupRow(
        project_id=call.caller.project_id,
        user_id=call.caller.user_id,
        dependents=0,
        volume="{}",
        wanted=True,
        made=False,
        attempts=0,
        fault="",
        forced_status="",
        status="",
        created_at=now,
        updated_at=now,
        **{name: getattr(record, name) for name in Record.__struct_fields__ if name != "metadata"},
        metadata=msgspec.json.encode(record.metadata).decode(),
    )

    async def write(tx: Transaction) -> None:
        await room.quota.take(tx, row.project_id, backups=1, backup_gigabytes=row.size)
        await store.insert(tx, row)
        await store.note_dependent(room, tx, row.parent_id, 1)

    try:
        await room.database.write(write)
    except Duplicate as error:
        raise InvalidBackup("Backup already exists in database.") from error
    return brief(call, row)


def _read(url: str) -> Record:
    """A record of which every part can be one. Raises InvalidInput."""
    try:
        record = msgspec.json.decode(base64.b64decode(url, validate=True), type=Record)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidInput(f"backup_url: this is no record of a backup: {error}") from error
    _check_ids(record)
    texts = (record.name, record.description, record.availability_zone, record.container)
    if any(len(text) > 255 or "\x00" in text for text in texts):
        raise InvalidInput("backup_url: a text in the record is longer than 255 characters, or has a NUL")
    if any(len(key) > 255 or len(value) > 255 for key, value in record.metadata.items()):
        raise InvalidInput("backup_url: the record's metadata has a key or a value of more than 255 characters")
    numbers = (record.table_start, record.table_length)
    if (
        not 0 < record.size <= MOST_GIB
        or any(not 0 <= number < 1 << 62 for number in numbers)
        or not 0 <= record.data_timestamp <= LATEST
    ):
        raise InvalidInput("backup_url: a number in the record is out of its range")
    return record


def _check_ids(record: Record) -> None:
    needed = (record.id, record.volume_id, record.object_id)
    others = (one for one in (record.snapshot_id, record.parent_id) if one)
    if not all(map(is_uuid, (*needed, *others))):
        raise InvalidInput("backup_url: an id in the record is none")
    if record.parent_id == record.id:
        raise InvalidInput("backup_url: the record says that the backup adds to itself")
    if len(record.table_digest) != _DIGEST or not record.table_digest.isalnum():
        raise InvalidInput("backup_url: the digest in the record is none")
