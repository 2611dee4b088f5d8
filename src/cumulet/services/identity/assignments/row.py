"""What we remember of an assignment, and the roles that somebody has somewhere because of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Query, Row, Transaction, stored
from cumulet.services.identity.groups.row import MembershipRow

USER, GROUP = "user", "group"
PROJECT, DOMAIN, SYSTEM = "project", "domain", "system"
ALL = "all"
"""The one id of the system as a target."""


@stored(
    "identity_assignments",
    sa.Index("identity_assignments_target", "target_id"),
    sa.Index("identity_assignments_role", "role_id"),
)
class AssignmentRow(Row):
    """A role of a user or a group, at a project, a domain or the system; or, inherited, at the projects below it."""

    actor_id: Annotated[str, sa.String(64), PRIMARY]
    target_id: Annotated[str, sa.String(64), PRIMARY]
    role_id: Annotated[str, sa.String(64), PRIMARY]
    inherited: Annotated[bool, sa.Boolean, PRIMARY]
    kind: Annotated[str, sa.String(8), PRIMARY]
    """Whether the target is meant as project, domain or system: a domain's id may be both of the first."""
    actor: Annotated[str, sa.String(8)]


_groups = sa.select(MembershipRow.c.group_id).where(MembershipRow.c.user_id == sa.bindparam("user"))
_actor = sa.or_(
    AssignmentRow.c.actor_id == sa.bindparam("user"),
    AssignmentRow.c.actor_id.in_(_groups),
    AssignmentRow.c.actor_id.in_(sa.bindparam("groups", expanding=True)),
)
_there = sa.or_(
    sa.and_(
        AssignmentRow.c.target_id == sa.bindparam("target"),
        AssignmentRow.c.kind == sa.bindparam("kind"),
        AssignmentRow.c.inherited.is_(sa.false()),
    ),
    sa.and_(
        AssignmentRow.c.target_id.in_(sa.bindparam("above", expanding=True)),
        AssignmentRow.c.inherited.is_(sa.true()),
    ),
)
_ROLES = Query(sa.select(AssignmentRow.c.role_id).where(_actor, _there))
_OF_USER = Query(sa.select(AssignmentRow.table).where(_actor))


async def role_ids(
    tx: Transaction, user_id: str, kind: str, target_id: str, above: Sequence[str] = (), groups: Sequence[str] = ()
) -> set[str]:
    """The roles assigned to a user at a target; `above` are the ids from which a project inherits."""
    values = {"user": user_id, "kind": kind, "target": target_id, "above": list(above), "groups": list(groups)}
    return {row[0] for row in await tx.tuples(_ROLES, values)}


async def assignments_of(tx: Transaction, user_id: str, groups: Sequence[str] = ()) -> list[AssignmentRow]:
    """Everything assigned to a user or to one of his groups."""
    return await tx.rows(AssignmentRow, _OF_USER, {"user": user_id, "groups": list(groups)})
