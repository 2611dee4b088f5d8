"""Where somebody has any role: the projects and domains of a user, the system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.services.identity.assignments.row import DOMAIN, PROJECT, SYSTEM, AssignmentRow, assignments_of
from cumulet.services.identity.projects.row import ProjectRow

_UNDER = Query(sa.select(ProjectRow.table).where(ProjectRow.c.lineage.like(sa.bindparam("lineage"))))


def reaches(assignment: AssignmentRow, project: ProjectRow) -> bool:
    """Does an assignment count in a project?"""
    if assignment.inherited:
        return assignment.target_id in project.ancestors
    return assignment.kind == PROJECT and assignment.target_id == project.id


async def project_ids_of(tx: Transaction, user_id: str, rows: Iterable[ProjectRow]) -> set[str]:
    """Those of these projects in which a user has a role."""
    assignments = await assignments_of(tx, user_id)
    return {row.id for row in rows if any(reaches(assignment, row) for assignment in assignments)}


async def projects_of(tx: Transaction, user_id: str, groups: Sequence[str] = ()) -> list[ProjectRow]:
    """The projects in which a user has a role."""
    assignments = await assignments_of(tx, user_id, groups)
    direct = {a.target_id for a in assignments if a.kind == PROJECT and not a.inherited}
    found = {row.id: row for row in await tx.find(ProjectRow, id=list(direct))} if direct else {}
    for above in {a.target_id for a in assignments if a.inherited}:
        pattern = f"%{above}/%"
        for row in await tx.rows(ProjectRow, _UNDER, {"lineage": pattern}):
            found[row.id] = row
    return sorted(found.values(), key=lambda row: row.id)


async def domains_of(tx: Transaction, user_id: str, groups: Sequence[str] = ()) -> list[ProjectRow]:
    """The domains for which a user can get a token."""
    assignments = await assignments_of(tx, user_id, groups)
    ids = {a.target_id for a in assignments if a.kind == DOMAIN and not a.inherited}
    rows = await tx.find(ProjectRow, order_by="id", id=list(ids)) if ids else []
    return [row for row in rows if row.is_domain]


async def is_of_system(tx: Transaction, user_id: str, groups: Sequence[str] = ()) -> bool:
    """Has a user a role in the system?"""
    return any(a.kind == SYSTEM for a in await assignments_of(tx, user_id, groups))
