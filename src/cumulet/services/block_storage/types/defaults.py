"""Default types: what kind of volume a project gets when it does not say."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Text
from cumulet.services.block_storage.errors import InvalidInput, TypeNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types.choice import find
from cumulet.services.block_storage.types.row import DefaultTypeRow

RULE = "volume_extension:default_"
SINCE = "3.62"


def _shown(row: DefaultTypeRow) -> dict[str, str]:
    return {"project_id": row.project_id, "volume_type_id": row.type_id}


async def index(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get_all")
    async with room.database.read() as tx:
        rows = await tx.find(DefaultTypeRow, order_by="created_at", limit=1000)
    return {"default_types": [_shown(row) for row in rows]}


async def show(room: BlockStorage, call: Call) -> dict[str, Any]:
    project = _project(call)
    call.allow(RULE + "get", {"project_id": project})
    async with room.database.read() as tx:
        row = await tx.get(DefaultTypeRow, project_id=project)
    if row is None:
        raise TypeNotFound(f"Default type for project {project} not found.")
    return {"default_type": _shown(row)}


async def update(room: BlockStorage, call: Call) -> dict[str, Any]:
    project, key = _project(call), call.wish["volume_type"]
    call.allow(RULE + "set_or_update", {"project_id": project})

    async def write(tx: Transaction) -> DefaultTypeRow:
        chosen = await find(tx, key)
        if chosen is None:
            raise InvalidInput(f"Volume type {key[:64]} could not be found.")
        row = DefaultTypeRow(project, chosen.id, room.clock.now())
        await tx.delete(DefaultTypeRow, project_id=project)
        await tx.insert(row)
        return row

    return {"default_type": _shown(await room.database.write(write))}


async def delete(room: BlockStorage, call: Call) -> None:
    project = _project(call)
    call.allow(RULE + "unset", {"project_id": project})
    await room.database.write(lambda tx: tx.delete(DefaultTypeRow, project_id=project))


def _project(call: Call) -> str:
    project = call.path["project"]
    if len(project) > 64 or "\x00" in project:
        raise TypeNotFound(f"Project {project[:64]} not found.")
    return project


_Body = Body("default_type", (Field("volume_type", Text(255, 1), create=REQUIRED),))
ONE = "/default-types/{project}"
ROUTES = (
    Endpoint("GET", "/default-types", index, since=SINCE, name="default_types"),
    Endpoint("GET", ONE, show, since=SINCE, name="default_type"),
    Endpoint("PUT", ONE, update, since=SINCE, body=_Body, name="default_type_update"),
    Endpoint("DELETE", ONE, delete, 204, since=SINCE, name="default_type_delete"),
)
