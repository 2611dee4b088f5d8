"""What a client sees and sends of a project."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Question, ask
from cumulet.core.web.resource import Listed
from cumulet.core.web.view import or_null, raw
from cumulet.core.web.wire import Bool
from cumulet.services.identity.errors import Missing
from cumulet.services.identity.fields import Description, Id, ImmutableOption, ProjectName, Tags
from cumulet.services.identity.noun import (
    Noun,
    boolean,
    domain_target,
    exact,
    given_options,
    known,
    token_domain,
)
from cumulet.services.identity.projects import operations
from cumulet.services.identity.projects.row import ProjectRow, project_of
from cumulet.services.identity.projects.tag_filters import tag_filters
from cumulet.services.identity.projects.tree import family
from cumulet.services.identity.room import Identity

RULE = "identity:"


def target(row: ProjectRow) -> dict[str, object]:
    about = known(id=row.id, domain_id=row.domain_id, name=row.name)
    return {"target": {"project": about}, "project_id": row.id}


projects = Noun(
    "/projects",
    "project",
    "projects",
    ProjectRow,
    [
        Field("id", Id),
        Field("name", ProjectName, create=REQUIRED, update=OPTIONAL),
        Field("domain_id", Id.or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("domain_id")),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL),
        Field("enabled", Bool, create=True, update=OPTIONAL),
        Field("parent_id", Id.or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("parent_id")),
        Field("is_domain", Bool, create=False, update=OPTIONAL),
        Field("tags", Tags, create=OPTIONAL, update=OPTIONAL, source=raw("tags")),
        Field("options", ImmutableOption, create=OPTIONAL, update=OPTIONAL, source=raw("options")),
    ],
    filters=[
        *exact(ProjectRow, "name"),
        boolean("enabled"),
        Filter("parent_id"),
        *tag_filters(),
    ],
    target=target,
    missing=Missing,
)


@projects.create("")
async def create(room: Identity, call: Call) -> ProjectRow:
    wish = call.wish
    if not wish["is_domain"]:
        wish["domain_id"] = wish.get("domain_id") or await _domain(room, call)
    domain_id = wish.get("domain_id")
    call.allow(RULE + "create_project", {"target": {"project": known(domain_id=domain_id)}})
    return await operations.create(room, wish, extra=projects.extras(call), options=given_options(None, wish))


async def _domain(room: Identity, call: Call) -> str:
    """The domain of the parent, or that of the caller's scope."""
    parent_id = call.wish.get("parent_id")
    if parent_id:
        async with room.database.read() as tx:
            parent = await project_of(tx, parent_id)
        if parent:
            return parent.home
    return token_domain(call)


@projects.list("")
async def index(room: Identity, call: Call) -> Listed:
    call.allow(RULE + "list_projects", domain_target(call))
    question = ask(projects.listing, ProjectRow, call)
    narrow_to_kind(question, call)
    narrow_to_domain(question, call.caller.domain_id or call.request.one("domain_id") or "")
    async with room.database.read() as tx:
        return Listed(*await projects.page(tx, call, question))


def narrow_to_kind(question: Question, call: Call) -> None:
    """Projects; only with `is_domain=true` those that are domains."""
    given = call.request.one("is_domain")
    domains = given is not None and given.lower() not in ("0", "false", "f", "no", "off", "n")
    question.where(("is_domain", domains), ProjectRow.c.is_domain.is_(sa.true() if domains else sa.false()))


def narrow_to_domain(question: Question, domain_id: str) -> None:
    if domain_id:
        clause = ProjectRow.c.domain_id == sa.bindparam("of_domain", type_=sa.String)
        question.where("of domain", clause, {"of_domain": domain_id})


@projects.show(RULE + "get_project")
async def show(room: Identity, call: Call, row: ProjectRow) -> dict[str, Any]:
    shown = projects.show_row(call, row)
    return {"project": shown | await family(room, call, row, projects)}


@projects.update(RULE + "update_project", method="PATCH")
async def update(room: Identity, call: Call, row: ProjectRow) -> ProjectRow:
    wish = call.wish
    return await operations.update(room, row, wish, extra=projects.extras(call, row), options=given_options(row, wish))


@projects.delete(RULE + "delete_project")
async def delete(room: Identity, call: Call, row: ProjectRow) -> None:
    await operations.delete(room, row)
