"""Limits of single projects and domains, in place of the registered ones."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Question, ask
from cumulet.core.web.resource import Endpoint, Listed
from cumulet.core.web.view import or_null
from cumulet.core.web.wire import ListOf, Obj
from cumulet.lib.ids import new_hex
from cumulet.services.identity.errors import InvalidValue, Missing, NameTaken, NotAllowed
from cumulet.services.identity.fields import AnyName, Description, Id
from cumulet.services.identity.limits.models import check
from cumulet.services.identity.limits.registered import Amount, Region, check_place
from cumulet.services.identity.limits.rows import LimitRow, RegisteredLimitRow
from cumulet.services.identity.noun import Noun, known
from cumulet.services.identity.projects.row import ProjectRow, project_of
from cumulet.services.identity.room import Identity

RULE = "identity:"


async def _load(room: Identity, call: Call, id_: str) -> LimitRow | None:
    async with room.database.read() as tx:
        row = await tx.get(LimitRow, id=id_)
        # The rule asks for the domain of the project, which the row does not hold.
        call.parent = await project_of(tx, row.project_id) if row else None
    return row


def _target(call: Call, row: LimitRow) -> dict[str, object]:
    project: ProjectRow | None = call.parent
    about: dict[str, object] = {"domain": known(id=row.domain_id)}
    about["project"] = known(id=row.project_id, domain_id=project.home if project else "")
    return {"target": {"limit": about | known(project_id=row.project_id)}}


limits = Noun(
    "/limits",
    "limit",
    "limits",
    LimitRow,
    [
        Field("id", Id),
        Field("service_id", Id, create=REQUIRED),
        Field("region_id", Region, create=OPTIONAL, source=or_null("region_id")),
        Field("resource_name", AnyName, create=REQUIRED),
        Field("resource_limit", Amount, create=REQUIRED, update=OPTIONAL),
        Field("project_id", Id.or_null(), create=OPTIONAL, source=or_null("project_id")),
        Field("domain_id", Id.or_null(), create=OPTIONAL, source=or_null("domain_id")),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("description")),
    ],
    filters=[Filter(name) for name in ("service_id", "region_id", "resource_name", "project_id", "domain_id")],
    target=lambda row: {},
    missing=Missing,
    extra=False,
    load=_load,
)
_BODY = Body("limits", [], kind=ListOf(Obj(*limits.fields), most=500, least=1))


@limits.collection("POST", RULE + "create_limits", status=201, body=_BODY)
async def create(room: Identity, call: Call) -> dict[str, Any]:
    wishes = call.wish["limits"]

    async def write(tx: Transaction) -> list[LimitRow]:
        rows = []
        for wish in wishes:
            row = await _new(tx, wish, room.clock.now())
            await check(tx, room.limit_model, row)
            await tx.insert(row)
            rows.append(row)
        return rows

    try:
        rows = await room.database.write(write)
    except Duplicate as taken:
        raise NameTaken("Conflict occurred attempting to store limit - Duplicate entry.") from taken
    return {"limits": [limits.show_row(call, row) for row in rows]}


async def _new(tx: Transaction, wish: dict[str, Any], now: int) -> LimitRow:
    """A limit below its registered one. Raises InvalidValue, NotAllowed."""
    project_id, domain_id = wish.get("project_id") or "", wish.get("domain_id") or ""
    if bool(project_id) == bool(domain_id):
        raise InvalidValue("limits: each is for a project or for a domain.")
    await check_place(tx, wish)
    place = await project_of(tx, project_id or domain_id)
    if place is None or (domain_id and not place.is_domain):
        raise InvalidValue(f"limits: there is no project or domain {project_id or domain_id}.")
    where = {
        "service_id": wish["service_id"],
        "region_id": wish.get("region_id") or "",
        "resource_name": wish["resource_name"],
    }
    registered = await tx.get(RegisteredLimitRow, **where)
    if registered is None:
        raise NotAllowed(f"Unable to create a limit that has no corresponding registered limit: {where}.")
    return LimitRow(
        id=new_hex(),
        registered_id=registered.id,
        project_id=project_id,
        domain_id=domain_id,
        resource_limit=wish["resource_limit"],
        description=wish.get("description") or "",
        created_at=now,
        **where,
    )


@limits.list(RULE + "list_limits")
async def index(room: Identity, call: Call) -> Listed:
    question = ask(limits.listing, LimitRow, call)
    if not call.may(RULE + "get_limit", {}):
        _narrow(question, call)
    async with room.database.read() as tx:
        return Listed(*await limits.page(tx, call, question))


_OWN_PROJECT = LimitRow.c.project_id == sa.bindparam("own_project", type_=sa.String)
_OF_DOMAIN = sa.or_(
    LimitRow.c.domain_id == sa.bindparam("own_domain", type_=sa.String),
    LimitRow.c.project_id.in_(
        sa.select(ProjectRow.c.id).where(ProjectRow.c.domain_id == sa.bindparam("own_domain", type_=sa.String))
    ),
)


def _narrow(question: Question, call: Call) -> None:
    """Others see what concerns the project or domain of their token."""
    caller = call.caller
    if caller.domain_id:
        question.where("own domain", _OF_DOMAIN, {"own_domain": caller.domain_id})
    else:
        question.where("own project", _OWN_PROJECT, {"own_project": caller.project_id or "-"})


@limits.show("")
async def show(room: Identity, call: Call, row: LimitRow) -> LimitRow:
    call.allow(RULE + "get_limit", _target(call, row))
    return row


@limits.update(RULE + "update_limit", method="PATCH")
async def update(room: Identity, call: Call, row: LimitRow) -> LimitRow:
    changes = {name: "" if value is None else value for name, value in call.wish.items()}

    async def write(tx: Transaction) -> LimitRow:
        changed = await limits.changed(tx, row, changes)
        await check(tx, room.limit_model, changed)
        return changed

    return await room.database.write(write)


@limits.delete(RULE + "delete_limit")
async def delete(room: Identity, call: Call, row: LimitRow) -> None:
    await room.database.write(lambda tx: tx.delete(LimitRow, id=row.id))


async def model(room: Identity, call: Call) -> dict[str, Any]:
    call.allow(RULE + "get_limit_model", {})
    return {"model": {"name": room.limit_model.name, "description": room.limit_model.description}}


ROUTES = (Endpoint("GET", "/limits/model", model, name="get_limit_model"),)
