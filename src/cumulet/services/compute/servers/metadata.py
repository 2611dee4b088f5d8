"""Metadata and tags of a server."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest, NotFound
from cumulet.core.web.body import Body
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.services.compute.errors import InstanceInvalidState, Limited
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.operations import act
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow, TagRow, Wanted
from cumulet.services.compute.servers.store import touch
from cumulet.services.compute.servers.tell import json_of
from cumulet.services.compute.servers.wishes import ItemMetadata, ServerMetadata, TagList, TagText

RULE = "os_compute_api:server-metadata:"
TAGS = "os_compute_api:os-server-tags:"
MOST_TAGS = 50


def metadata_of(row: ServerRow) -> dict[str, str]:
    found: dict[str, str] = msgspec.json.decode(row.metadata)
    return found


async def change_metadata(room: Compute, call: Call, row: ServerRow, change: Any) -> dict[str, str]:
    """Change the metadata as it is at this moment, within the quota."""
    await room.quota.learn(row.project_id)
    async with room.database.read() as tx:
        most = (await room.quota.limits(tx, row.project_id))["metadata_items"]

    def alter(found: ServerRow) -> None:
        metadata = metadata_of(found)
        change(metadata)
        if 0 <= most < len(metadata):
            raise Limited(f"Maximum number of metadata items exceeds {most}")
        found.metadata = json_of(metadata)
        touch(found, room.clock.now())

    return metadata_of(await act(room, call, row, "metadata", alter))


@servers.item("GET", RULE + "index", suffix="/metadata")
async def index(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    return {"metadata": msgspec.Raw(row.metadata.encode())}


@servers.item("POST", RULE + "create", suffix="/metadata", body=Body("metadata", (), kind=ServerMetadata))
async def create(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    given = call.wish["metadata"]
    return {"metadata": await change_metadata(room, call, row, lambda metadata: metadata.update(given))}


@servers.item("PUT", RULE + "update_all", suffix="/metadata", body=Body("metadata", (), kind=ServerMetadata))
async def update_all(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    given = call.wish["metadata"]

    def change(metadata: dict[str, str]) -> None:
        metadata.clear()
        metadata.update(given)

    return {"metadata": await change_metadata(room, call, row, change)}


@servers.item("GET", RULE + "show", suffix="/metadata/{key}")
async def show(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    key = call.path["key"]
    metadata = metadata_of(row)
    if key not in metadata:
        raise NotFound("Metadata item was not found")
    return {"meta": {key: metadata[key]}}


@servers.item("PUT", RULE + "update", suffix="/metadata/{key}", body=Body("meta", (), kind=ItemMetadata))
async def update(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    given = call.wish["meta"]
    if call.path["key"] not in given:
        raise BadRequest("Request body and URI mismatch: the body's only key must be the one in the URL")
    await change_metadata(room, call, row, lambda metadata: metadata.update(given))
    return {"meta": given}


@servers.item("DELETE", RULE + "delete", status=204, suffix="/metadata/{key}")
async def delete(room: Compute, call: Call, row: ServerRow) -> None:
    key = call.path["key"]
    if key not in metadata_of(row):
        raise NotFound("Metadata item was not found")
    await change_metadata(room, call, row, lambda metadata: metadata.pop(key, None))


# ---- tags -------------------------------------------------------------------------------------------------------


def tags_of(row: ServerRow) -> list[str]:
    found: list[str] = msgspec.json.decode(row.tags)
    return found


async def change_tags(room: Compute, call: Call, row: ServerRow, change: Any) -> list[str]:
    def alter(found: ServerRow) -> None:
        if found.wanted == Wanted.GONE:
            raise InstanceInvalidState("update_tags", row.id, "task_state", "deleting")
        tags = sorted(change(set(tags_of(found))))
        if len(tags) > MOST_TAGS:
            raise BadRequest(f"The number of tags exceeded the per-server limit {MOST_TAGS}")
        found.tags = json_of(tags)

    async def also(tx: Transaction, found: ServerRow) -> None:
        await tx.delete(TagRow, server_id=row.id)
        await tx.insert_all([TagRow(row.id, tag) for tag in tags_of(found)])

    return tags_of(await act(room, call, row, "update", alter, also))


@servers.item("GET", TAGS + "index", suffix="/tags", since="2.26")
async def list_tags(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    return {"tags": tags_of(row)}


@servers.item("PUT", TAGS + "update_all", suffix="/tags", since="2.26", body=Body("tags", (), kind=TagList))
async def set_tags(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    return {"tags": await change_tags(room, call, row, lambda tags: set(call.wish["tags"]))}


@servers.item("DELETE", TAGS + "delete_all", status=204, suffix="/tags", since="2.26")
async def delete_tags(room: Compute, call: Call, row: ServerRow) -> None:
    await change_tags(room, call, row, lambda tags: set())


@servers.item("GET", TAGS + "show", status=204, suffix="/tags/{tag}", since="2.26")
async def show_tag(room: Compute, call: Call, row: ServerRow) -> None:
    _has(row, call.path["tag"])


def _has(row: ServerRow, tag: str) -> None:
    if tag not in tags_of(row):
        raise NotFound(f"Server {row.id} has no tag '{tag[:80]}'")


@servers.item("PUT", TAGS + "update", status=201, suffix="/tags/{tag}", since="2.26")
async def add_tag(room: Compute, call: Call, row: ServerRow) -> Response:
    tag = call.path["tag"]
    if not 1 <= len(tag) <= 60:
        raise BadRequest("Tag is too long or empty: it holds 1 to 60 characters")
    try:
        TagText.clean(tag, call.version)
    except ValueError as error:
        raise BadRequest(f"Invalid tag {tag!r}: {error}") from error
    known = tag in tags_of(row)
    await change_tags(room, call, row, lambda tags: {*tags, tag})
    return Response(204) if known else Response(201, headers={"Location": f"{call.base}/servers/{row.id}/tags/{tag}"})


@servers.item("DELETE", TAGS + "delete", status=204, suffix="/tags/{tag}", since="2.26")
async def delete_tag(room: Compute, call: Call, row: ServerRow) -> None:
    tag = call.path["tag"]
    _has(row, tag)
    await change_tags(room, call, row, lambda tags: tags - {tag})
