"""Usages: how much is given out, by provider and by project."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Query
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.services.placement.allocations.resource import UNKNOWN
from cumulet.services.placement.errors import BadQuery, MissingQuery
from cumulet.services.placement.inventories.operations import offered
from cumulet.services.placement.names import is_name
from cumulet.services.placement.providers.operations import find
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import AllocationRow, ConsumerRow
from cumulet.services.placement.verbs import Verbs, known_only

verbs = Verbs()
TYPES_SINCE = version("1.38")
ALL = "all"


@verbs("GET", "/resource_providers/{uuid}/usages", "placement:resource_providers:usages")
async def usages_of_provider(room: Placement, call: Call) -> dict[str, Any]:
    async with room.database.read() as tx:
        provider = await find(tx, call.path["uuid"])
        rows = await offered(tx, provider.id)
    usages = {row.resource_class: row.used for row in rows}
    return {"resource_provider_generation": provider.generation, "usages": usages}


@verbs("GET", "/usages", "", since="1.9")
async def usages_of_project(room: Placement, call: Call) -> dict[str, Any]:
    project, user, wanted = _asked(call)
    call.allow("placement:usages", {"project_id": project})
    values = {"project": project, "user": user}
    async with room.database.read() as tx:
        sums = await tx.tuples(_sums(bool(user)), values)
        counts = await tx.tuples(_counts(bool(user)), values)
    if call.version < TYPES_SINCE or wanted == ALL:
        total: dict[str, int] = {}
        for _, resource, used in sums:
            total[resource] = total.get(resource, 0) + int(used)
        if call.version < TYPES_SINCE:
            return {"usages": total}
        consumers = sum(int(n) for _, n in counts)
        return {"usages": {ALL: {"consumer_count": consumers, **total}} if consumers else {}}
    by_type: dict[str, dict[str, int]] = {}
    for kind, n in counts:
        by_type[kind or UNKNOWN] = {"consumer_count": int(n)}
    for kind, resource, used in sums:
        by_type.setdefault(kind or UNKNOWN, {})[resource] = int(used)
    return {"usages": {kind: shown for kind, shown in by_type.items() if wanted in ("", kind)}}


def _asked(call: Call) -> tuple[str, str, str]:
    """The project, user and type of consumer that a client asks about. Raises BadQuery."""
    names = ("project_id", "user_id", "consumer_type") if call.version >= TYPES_SINCE else ("project_id", "user_id")
    known_only(call, *names)
    project, user, wanted = (call.request.one(name) for name in ("project_id", "user_id", "consumer_type"))
    if not project:
        raise MissingQuery("Invalid query string parameters: 'project_id' is a required property")
    if user == "" or max(len(project), len(user or "")) > 255:
        raise BadQuery("Invalid query string parameters: an id has 1 to 255 characters")
    if wanted is not None and wanted not in (ALL, UNKNOWN) and not is_name(wanted):
        raise BadQuery(f"Invalid query string parameters: {wanted[:60]!r} is no type of consumer")
    return project, user or "", wanted or ""


def _whose(user: bool) -> list[sa.ColumnElement[bool]]:
    c = ConsumerRow.c
    clauses = [AllocationRow.c.consumer_id == c.id, c.project_id == sa.bindparam("project", type_=sa.String)]
    return [*clauses, c.user_id == sa.bindparam("user", type_=sa.String)] if user else clauses


@cache
def _sums(user: bool) -> Query:
    a, c = AllocationRow.c, ConsumerRow.c
    chosen = sa.select(c.type, a.resource_class, sa.func.sum(a.used)).where(*_whose(user))
    return Query(chosen.group_by(c.type, a.resource_class))


@cache
def _counts(user: bool) -> Query:
    a, c = AllocationRow.c, ConsumerRow.c
    chosen = sa.select(c.type, sa.func.count(sa.distinct(a.consumer_id))).where(*_whose(user))
    return Query(chosen.group_by(c.type))
