"""What limits mean to one another: how deep a tree of projects they may cover, and which may not exceed which.

Names and rules: Keystone's administration guide, Unified Limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.services.identity.errors import NotAllowed
from cumulet.services.identity.limits.rows import LimitRow, RegisteredLimitRow
from cumulet.services.identity.projects.row import ProjectRow

UNLIMITED = -1


@dataclass(frozen=True)
class Model:
    """One way of enforcing limits."""

    name: str
    description: str
    depth: int | None = None
    """How deep projects may be nested, counted from the domain; None: as the operator set."""


FLAT = Model("flat", "Limits are compared with usage of one project at a time, not of its tree.")
STRICT = Model(
    "strict_two_level",
    "A domain's limit bounds its projects: none may have a higher one, and together they may not use more. "
    "Projects stand directly below their domain.",
    depth=1,
)
MODELS = {model.name: model for model in (FLAT, STRICT)}


async def check(tx: Transaction, model: Model, row: LimitRow) -> None:
    """Raise NotAllowed when the limit breaks the model's rule."""
    if model is not STRICT:
        return
    if row.project_id:
        most = await _of_domain(tx, row)
        if exceeds(row.resource_limit, most):
            raise NotAllowed(
                f"Invalid resource limit: {row.resource_name} {row.resource_limit} of project {row.project_id} is "
                f"above its domain's, which is {most}. Raise the domain's limit first."
            )
        return
    values = {"registered_id": row.registered_id, "domain_id": row.domain_id}
    for project_id, limit in await tx.tuples(_limits_below(), values):
        if exceeds(limit, row.resource_limit):
            raise NotAllowed(
                f"Invalid resource limit: {row.resource_name} {row.resource_limit} of domain {row.domain_id} is below "
                f"that of its project {project_id}, which is {limit}. Lower the project's limit first."
            )


def exceeds(limit: int, most: int) -> bool:
    """Is the first of two limits the higher one?"""
    return most != UNLIMITED and (limit == UNLIMITED or limit > most)


async def _of_domain(tx: Transaction, row: LimitRow) -> int:
    project = await tx.get(ProjectRow, id=row.project_id)
    home = project.home if project else ""
    set_there = await tx.get(LimitRow, registered_id=row.registered_id, project_id="", domain_id=home)
    if set_there:
        return set_there.resource_limit
    registered = await tx.get(RegisteredLimitRow, id=row.registered_id)
    return registered.default_limit if registered else UNLIMITED


@cache
def _limits_below() -> Query:
    """The limits that projects of a domain have of one resource."""
    return Query(
        sa.select(LimitRow.c.project_id, LimitRow.c.resource_limit)
        .join(ProjectRow.table, ProjectRow.c.id == LimitRow.c.project_id)
        .where(
            LimitRow.c.registered_id == sa.bindparam("registered_id"),
            ProjectRow.c.domain_id == sa.bindparam("domain_id"),
        )
    )
