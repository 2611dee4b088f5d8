"""Where the caller may go: `/auth/projects`, `/auth/domains`, `/auth/system`; and `/auth/catalog`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.core.web.listing import ask
from cumulet.core.web.resource import Endpoint, Listed
from cumulet.services.identity.assignments.places import domains_of, is_of_system, projects_of
from cumulet.services.identity.catalog.assembled import catalog_for
from cumulet.services.identity.errors import NotAllowed
from cumulet.services.identity.federation.memberships import lasting
from cumulet.services.identity.projects.domains import domains
from cumulet.services.identity.projects.resource import narrow_to_domain, projects
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.resource import users
from cumulet.services.identity.users.row import UserRow

RULE = "identity:"


async def my_projects(room: Identity, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get_auth_projects", {})
    async with room.database.read() as tx:
        rows = await projects_of(tx, call.caller.user_id, await _groups(room, tx, call))
    return projects.present_list(call, Listed([row for row in rows if row.enabled]))


async def _groups(room: Identity, tx: Transaction, call: Call) -> list[str]:
    """The groups that a federated login gave the caller, in his token or for a while."""
    return [*call.caller.facts.get("group_ids", ()), *await lasting(tx, call.caller.user_id, room.clock.now())]


async def my_domains(room: Identity, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get_auth_domains", {})
    async with room.database.read() as tx:
        rows = await domains_of(tx, call.caller.user_id, await _groups(room, tx, call))
    return domains.present_list(call, Listed([row for row in rows if row.enabled]))


async def my_system(room: Identity, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get_auth_system", {})
    async with room.database.read() as tx:
        there = await is_of_system(tx, call.caller.user_id, [*await lasting(tx, call.caller.user_id, room.clock.now())])
    return {"system": [{"all": True}] if there else [], "links": {"self": f"{call.base}/auth/system"}}


async def catalog(room: Identity, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get_auth_catalog", {})
    caller = call.caller
    if not (caller.project_id or caller.domain_id or caller.system):
        raise NotAllowed("A catalog needs a token with a scope.")
    found = await catalog_for(room, caller.project_id, caller.user_id)
    return {"catalog": found, "links": {"self": f"{call.base}/auth/catalog"}}


@users.item("GET", RULE + "list_user_projects", suffix="/projects")
async def projects_of_user(room: Identity, call: Call, row: UserRow) -> dict[str, Any]:
    """The user's projects, narrowed by the filters of projects."""
    question = ask(projects.listing, ProjectRow, call)
    narrow_to_domain(question, call.request.one("domain_id") or "")
    async with room.database.read() as tx:
        brought = await lasting(tx, row.id, room.clock.now())
        ids = [project.id for project in await projects_of(tx, row.id, [*brought])]
        if not ids:
            return projects.present_list(call, Listed([]))
        question.where("of user", ProjectRow.c.id.in_(_IDS), {"projects_of_user": ids})
        return projects.present_list(call, Listed(*await projects.page(tx, call, question)))


_IDS: sa.BindParameter[list[str]] = sa.bindparam("projects_of_user", expanding=True)

ROUTES = (
    Endpoint("GET", "/auth/projects", my_projects, name="get_auth_projects"),
    Endpoint("GET", "/auth/domains", my_domains, name="get_auth_domains"),
    Endpoint("GET", "/auth/system", my_system, name="get_auth_system"),
    Endpoint("GET", "/auth/catalog", catalog, name="get_auth_catalog"),
    # The same lists under the names they had when only federated users needed them.
    Endpoint("GET", "/OS-FEDERATION/projects", my_projects, name="federation_projects"),
    Endpoint("GET", "/OS-FEDERATION/domains", my_domains, name="federation_domains"),
)
