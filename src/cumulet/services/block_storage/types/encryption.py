"""Encryption of a type: remembered and shown; what of it can be had is said when a volume is made."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Enum, Int, Text
from cumulet.lib.clock import iso_micros
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage.errors import InvalidInput, InvalidType, TypeNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types.resource import types
from cumulet.services.block_storage.types.row import TypeRow
from cumulet.services.block_storage.volumes.row import VolumeRow

RULE = "volume_extension:volume_type_encryption:"
_FIELDS = (
    Field("provider", Text(), create=REQUIRED, update=OPTIONAL),
    Field("control_location", Enum("front-end", "back-end"), create=REQUIRED, update=OPTIONAL),
    Field("cipher", Text().or_null(), create=OPTIONAL, update=OPTIONAL),
    Field("key_size", Int(0).or_null(), create=OPTIONAL, update=OPTIONAL),
)
_Create, _Update = Body("encryption", _FIELDS), Body("encryption", _FIELDS, verb="update")
ONE = "/encryption/{encryption_id}"


def of(row: TypeRow) -> dict[str, Any]:
    """What is remembered of a type's encryption; empty for none."""
    found: dict[str, Any] = msgspec.json.decode(row.encryption) if row.encryption else {}
    return found


async def _write(room: BlockStorage, row: TypeRow, found: dict[str, Any]) -> None:
    text = msgspec.json.encode(found).decode() if found else ""

    async def write(tx: Transaction) -> None:
        if await tx.find(VolumeRow, type_id=row.id, wanted=True, limit=1):
            raise InvalidType("cannot change encryption specs of a type in use; delete or retype its volumes first")
        await tx.update(TypeRow, {"id": row.id}, encryption=text, updated_at=room.clock.now())

    await room.database.write(write)


@types.item("GET", RULE + "get", suffix="/encryption")
async def show(room: BlockStorage, call: Call, row: TypeRow) -> dict[str, Any]:
    return of(row)


@types.item("POST", RULE + "create", suffix="/encryption", body=_Create)
async def create(room: BlockStorage, call: Call, row: TypeRow) -> dict[str, Any]:
    if row.encryption:
        raise InvalidInput(f"Volume type encryption for type {row.id} already exists.")
    wish = {"cipher": None, "key_size": None, **call.wish}
    found = {
        "volume_type_id": row.id,
        "encryption_id": new_uuid(),
        **wish,
        "created_at": iso_micros(room.clock.now()),
        "updated_at": None,
        "deleted_at": None,
        "deleted": False,
    }
    await _write(room, row, found)
    return {"encryption": {"volume_type_id": row.id, "encryption_id": found["encryption_id"], **wish}}


@types.item("GET", RULE + "get", suffix=ONE)
async def show_one(room: BlockStorage, call: Call, row: TypeRow) -> dict[str, Any]:
    found, key = of(row), call.path["encryption_id"]
    if key not in found:
        raise TypeNotFound(f"Volume type {row.id} has no encryption with {key[:64]}.")
    return {key: found[key]}


@types.item("PUT", RULE + "update", suffix=ONE, body=_Update)
async def update(room: BlockStorage, call: Call, row: TypeRow) -> dict[str, Any]:
    found = _known(row, call.path["encryption_id"])
    await _write(room, row, {**found, **call.wish, "updated_at": iso_micros(room.clock.now())})
    return {"encryption": call.wish}


@types.item("DELETE", RULE + "delete", status=202, suffix=ONE)
async def delete(room: BlockStorage, call: Call, row: TypeRow) -> None:
    _known(row, call.path["encryption_id"])
    await _write(room, row, {})


def _known(row: TypeRow, key: str) -> dict[str, Any]:
    found = of(row)
    if key not in (found.get("encryption_id"), "provider"):
        raise TypeNotFound(f"Volume type encryption for type {row.id} does not exist.")
    return found
