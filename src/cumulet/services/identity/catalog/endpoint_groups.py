"""OS-EP-FILTER: giving endpoints, and groups of them, to chosen projects."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Row, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter
from cumulet.core.web.resource import Endpoint, Listed
from cumulet.core.web.view import or_null, raw
from cumulet.core.web.wire import Enum, Obj, StrictBool, Text
from cumulet.lib.ids import new_hex
from cumulet.services.identity.catalog.endpoints import endpoints
from cumulet.services.identity.catalog.filtering import (
    EndpointGroupRow,
    ProjectEndpointGroupRow,
    ProjectEndpointRow,
    matches,
)
from cumulet.services.identity.catalog.rows import EndpointRow
from cumulet.services.identity.errors import InvalidValue, Missing
from cumulet.services.identity.fields import AnyName, Description, Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.projects.resource import projects
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.room import Identity

RULE = "identity:"
_FILTERS = Obj(
    Field("service_id", Id, create=OPTIONAL),
    Field("interface", Enum("admin", "internal", "public"), create=OPTIONAL),
    Field("region_id", Text(255).or_null(), create=OPTIONAL),
    Field("enabled", StrictBool, create=OPTIONAL),
)

endpoint_groups = Noun(
    "/OS-EP-FILTER/endpoint_groups",
    "endpoint_group",
    "endpoint_groups",
    EndpointGroupRow,
    [
        Field("id", Id),
        Field("name", AnyName, create=REQUIRED, update=OPTIONAL),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("description")),
        Field("filters", _FILTERS, create=REQUIRED, update=OPTIONAL, source=raw("filters")),
    ],
    filters=[Filter("name")],
    target=lambda row: {},
    missing=Missing,
    extra=False,
)


def _filters(wish: dict[str, Any]) -> str:
    """The filters as the column's text. Raises InvalidValue without any."""
    if not wish:
        raise InvalidValue("filters: name service_id, interface, region_id or enabled.")
    return msgspec.json.encode(wish).decode()


@endpoint_groups.create(RULE + "create_endpoint_group")
async def create(room: Identity, call: Call) -> EndpointGroupRow:
    wish = call.wish
    row = EndpointGroupRow(
        new_hex(), wish["name"], wish.get("description") or "", _filters(wish["filters"]), room.clock.now()
    )
    await room.database.write(lambda tx: tx.insert(row))
    return row


endpoint_groups.listed(RULE + "list_endpoint_groups")
endpoint_groups.shown(RULE + "get_endpoint_group")


@endpoint_groups.update(RULE + "update_endpoint_group", method="PATCH")
async def update(room: Identity, call: Call, row: EndpointGroupRow) -> EndpointGroupRow:
    wish = call.wish
    changes: dict[str, Any] = {name: wish[name] or "" for name in ("name", "description") if name in wish}
    if "filters" in wish:
        changes["filters"] = _filters(wish["filters"])

    return await room.change(lambda tx: endpoint_groups.changed(tx, row, changes))


@endpoint_groups.delete(RULE + "delete_endpoint_group")
async def delete(room: Identity, call: Call, row: EndpointGroupRow) -> None:
    async def write(tx: Transaction) -> None:
        await tx.delete(ProjectEndpointGroupRow, group_id=row.id)
        await tx.delete(EndpointGroupRow, id=row.id)

    await room.change(write)


@endpoint_groups.item("GET", RULE + "list_endpoints_associated_with_endpoint_group", suffix="/endpoints")
async def endpoints_in(room: Identity, call: Call, row: EndpointGroupRow) -> Any:
    filters = msgspec.json.decode(row.filters)
    async with room.database.read() as tx:
        rows = [found for found in await tx.find(EndpointRow, order_by="id") if matches(found, filters)]
    return endpoints.present_list(call, Listed(rows))


@endpoint_groups.item("GET", RULE + "list_projects_associated_with_endpoint_group", suffix="/projects")
async def projects_of(room: Identity, call: Call, row: EndpointGroupRow) -> Any:
    async with room.database.read() as tx:
        grants = await tx.find(ProjectEndpointGroupRow, group_id=row.id)
        rows = await tx.find(ProjectRow, order_by="id", id=[grant.project_id for grant in grants]) if grants else []
    return projects.present_list(call, Listed(rows))


class Gift:
    """Giving one kind of thing to projects: the same three verbs for endpoints and for groups of them."""

    def __init__(self, what: type[Row], given: type[Row], column: str, key: str, word: str) -> None:
        self.what, self.given, self.column, self.key, self.word = what, given, column, key, word

    async def _pair(self, room: Identity, call: Call, rule: str) -> dict[str, str]:
        call.allow(RULE + rule, {})
        async with room.database.read() as tx:
            if not await tx.get(self.what, id=call.path[self.key]):
                raise Missing(f"Could not find {self.word}: {call.path[self.key][:64]}.")
            if not await tx.get(ProjectRow, id=call.path["project_id"]):
                raise Missing(f"Could not find project: {call.path['project_id'][:64]}.")
        return {self.column: call.path[self.key], "project_id": call.path["project_id"]}

    async def give(self, room: Identity, call: Call) -> None:
        pair = await self._pair(room, call, f"add_{self.word}_to_project")

        async def write(tx: Transaction) -> None:
            if not await tx.get(self.given, **pair):
                await tx.insert(self.given(**pair))

        try:
            await room.change(write)
        except Duplicate:
            return  # somebody else gave it at the same moment

    async def _require(self, room: Identity, pair: dict[str, str]) -> None:
        async with room.database.read() as tx:
            if not await tx.get(self.given, **pair):
                raise Missing(f"The {self.word} was not given to this project.")

    async def check_endpoint(self, room: Identity, call: Call) -> None:
        await self._require(room, await self._pair(room, call, "check_endpoint_in_project"))

    async def show_group(self, room: Identity, call: Call) -> Any:
        pair = await self._pair(room, call, "get_endpoint_group_in_project")
        await self._require(room, pair)
        row = await endpoint_groups.find(room, call, pair["group_id"])
        return {"endpoint_group": endpoint_groups.show_row(call, row)}

    async def take(self, room: Identity, call: Call) -> None:
        pair = await self._pair(room, call, f"remove_{self.word}_from_project")

        async def write(tx: Transaction) -> None:
            if not await tx.delete(self.given, **pair):
                raise Missing(f"The {self.word} was not given to this project.")

        await room.change(write)


async def endpoints_for(room: Identity, call: Call) -> Any:
    """The endpoints given to a project, alone or in groups."""
    project_id = await _project(room, call, "list_endpoints_for_project")
    async with room.database.read() as tx:
        ids = {row.endpoint_id for row in await tx.find(ProjectEndpointRow, project_id=project_id)}
        groups = [row.group_id for row in await tx.find(ProjectEndpointGroupRow, project_id=project_id)]
        given = await tx.find(EndpointGroupRow, id=groups) if groups else []
        every = await tx.find(EndpointRow, order_by="id")
    filters = [msgspec.json.decode(group.filters) for group in given]
    rows = [row for row in every if row.id in ids or any(matches(row, one) for one in filters)]
    return endpoints.present_list(call, Listed(rows))


async def groups_for(room: Identity, call: Call) -> Any:
    project_id = await _project(room, call, "list_endpoint_groups_for_project")
    async with room.database.read() as tx:
        ids = [row.group_id for row in await tx.find(ProjectEndpointGroupRow, project_id=project_id)]
        rows = await tx.find(EndpointGroupRow, order_by="id", id=ids) if ids else []
    return endpoint_groups.present_list(call, Listed(rows))


async def _project(room: Identity, call: Call, rule: str) -> str:
    call.allow(RULE + rule, {})
    async with room.database.read() as tx:
        if not await tx.get(ProjectRow, id=call.path["project_id"]):
            raise Missing(f"Could not find project: {call.path['project_id'][:64]}.")
    return call.path["project_id"]


async def projects_for(room: Identity, call: Call) -> Any:
    call.allow(RULE + "list_projects_for_endpoint", {})
    async with room.database.read() as tx:
        if not await tx.get(EndpointRow, id=call.path["endpoint_id"]):
            raise Missing(f"Could not find endpoint: {call.path['endpoint_id'][:64]}.")
        ids = [row.project_id for row in await tx.find(ProjectEndpointRow, endpoint_id=call.path["endpoint_id"])]
        rows = await tx.find(ProjectRow, order_by="id", id=ids) if ids else []
    return projects.present_list(call, Listed(rows))


_ENDPOINT = Gift(EndpointRow, ProjectEndpointRow, "endpoint_id", "endpoint_id", "endpoint")
_GROUP = Gift(EndpointGroupRow, ProjectEndpointGroupRow, "group_id", "endpoint_group_id", "endpoint_group")
_TO = "/OS-EP-FILTER/projects/{project_id}"
_ONE, _MANY = (
    f"{_TO}/endpoints/{{endpoint_id}}",
    "/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}",
)
ROUTES = (
    Endpoint("PUT", _ONE, _ENDPOINT.give, 204, name="add_endpoint_to_project"),
    Endpoint("GET", _ONE, _ENDPOINT.check_endpoint, 204, name="check_endpoint_in_project"),
    Endpoint("DELETE", _ONE, _ENDPOINT.take, 204, name="remove_endpoint_from_project"),
    Endpoint("PUT", _MANY, _GROUP.give, 204, name="add_endpoint_group_to_project"),
    Endpoint("GET", _MANY, _GROUP.show_group, 200, name="get_endpoint_group_in_project"),
    Endpoint("DELETE", _MANY, _GROUP.take, 204, name="remove_endpoint_group_from_project"),
    Endpoint("GET", f"{_TO}/endpoints", endpoints_for, name="list_endpoints_for_project"),
    Endpoint("GET", f"{_TO}/endpoint_groups", groups_for, name="list_endpoint_groups_for_project"),
    Endpoint("GET", "/OS-EP-FILTER/endpoints/{endpoint_id}/projects", projects_for, name="list_projects_for_endpoint"),
)
