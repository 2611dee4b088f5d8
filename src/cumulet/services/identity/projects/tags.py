"""Tags of projects: words by which they are found again."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import Body
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.services.identity.errors import Immutable, InvalidValue, Missing
from cumulet.services.identity.fields import Tag, Tags
from cumulet.services.identity.projects.resource import projects
from cumulet.services.identity.projects.row import ProjectRow, project_of
from cumulet.services.identity.projects.tag_filters import MOST
from cumulet.services.identity.room import Identity

RULE = "identity:"


@projects.item("GET", RULE + "list_project_tags", suffix="/tags")
async def tags(room: Identity, call: Call, row: ProjectRow) -> dict[str, Any]:
    return _shown(call, row)


@projects.item("PUT", RULE + "update_project_tags", suffix="/tags", body=Body("tags", [], kind=Tags))
async def replace(room: Identity, call: Call, row: ProjectRow) -> dict[str, Any]:
    wanted = call.wish["tags"]
    return _shown(call, await _change(room, row, lambda present: set(wanted)))


@projects.item("DELETE", RULE + "delete_project_tags", suffix="/tags", status=204)
async def remove_all(room: Identity, call: Call, row: ProjectRow) -> None:
    await _change(room, row, lambda present: set())


@projects.item("GET", RULE + "get_project_tag", suffix="/tags/{value}", status=204)
async def check(room: Identity, call: Call, row: ProjectRow) -> None:
    _require(call.path["value"], row)


@projects.item("PUT", RULE + "create_project_tag", suffix="/tags/{value}", status=201)
async def add(room: Identity, call: Call, row: ProjectRow) -> Response:
    value = _valid(call.path["value"])
    await _change(room, row, lambda present: present | {value})
    return Response(201, headers={"Location": f"{call.base}/projects/{row.id}/tags/{value}"})


@projects.item("DELETE", RULE + "delete_project_tag", suffix="/tags/{value}", status=204)
async def remove(room: Identity, call: Call, row: ProjectRow) -> None:
    value = call.path["value"]
    _require(value, row)
    await _change(room, row, lambda present: present - {value})


def _shown(call: Call, row: ProjectRow) -> dict[str, Any]:
    links = {"self": f"{call.base}/projects/{row.id}/tags", "next": None, "previous": None}
    return {"tags": msgspec.Raw(row.tags.encode()), "links": links}


def _valid(value: str) -> str:
    try:
        msgspec.convert(value, Tag.type_at(0))
        return str(Tag.clean(value, 0))
    except ValueError as error:
        raise InvalidValue(f"tag: {error}") from error


def _require(value: str, row: ProjectRow) -> None:
    if value not in msgspec.json.decode(row.tags):
        raise Missing(f"Could not find project tag: {value[:255]}.")


async def _change(room: Identity, row: ProjectRow, change: Any) -> ProjectRow:
    if row.is_immutable:
        raise Immutable(f"The project {row.id} is immutable. Set its option immutable to false first.")

    async def write(tx: Transaction) -> ProjectRow:
        current = await project_of(tx, row.id)
        if current is None:
            raise Missing(f"Could not find project: {row.id}.")
        wanted: set[str] = change(set(msgspec.json.decode(current.tags)))
        if len(wanted) > MOST:
            raise InvalidValue(f"tags: a project has at most {MOST}.")
        tags = msgspec.json.encode(sorted(wanted)).decode()
        await tx.update(ProjectRow, {"id": row.id}, tags=tags)
        current.tags = tags
        return current

    return await room.database.write(write)


tagged_projects = projects
"""The noun with the verbs of this file."""
