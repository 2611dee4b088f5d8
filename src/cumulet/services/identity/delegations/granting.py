"""What may be lent by a trust: roles that the trustor has himself; when it is handed on, no more than it grants."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.identity.assignments.row import PROJECT, role_ids
from cumulet.services.identity.delegations.rows import TrustRow
from cumulet.services.identity.errors import InvalidValue, Missing, NotAllowed
from cumulet.services.identity.federation.memberships import lasting
from cumulet.services.identity.projects.row import project_of
from cumulet.services.identity.roles.row import RoleBook

MOST_REDELEGATIONS = 3


async def granted_roles(tx: Transaction, wish: dict[str, Any], book: RoleBook, now: int) -> list[str]:
    """The ids of the roles of a wish. Raises Missing for one that the trustor does not have in the project."""
    asked = wish.get("roles") or []
    if not asked:
        raise NotAllowed("roles: at least one role should be specified for a trust.")
    project = await project_of(tx, wish["project_id"])
    if project is None:
        raise Missing(f"Could not find project: {wish['project_id']}.")
    brought = await lasting(tx, wish["trustor_user_id"], now)
    direct = await role_ids(tx, wish["trustor_user_id"], PROJECT, project.id, project.ancestors, [*brought])
    held = {role.id: role.name for role in book.in_token(direct)}
    by_name = {name: id_ for id_, name in held.items()}
    chosen: list[str] = []
    for words in asked:
        if not words:
            raise InvalidValue("roles: give each role's id or name.")
        id_ = words.get("id") or by_name.get(words.get("name") or "")
        if id_ not in held:
            raise Missing(f"Could not find role: {words.get('id') or words.get('name')}.")
        chosen.append(str(id_))
    return chosen


def redelegation(parent: TrustRow | None, row: TrustRow, now: int) -> None:
    """Make `row` a child of the trust by which its maker acts. Raises NotAllowed when it would grant more than that."""
    if parent is None or parent.deleted_at or (parent.expires_at and parent.expires_at <= now):
        raise NotAllowed("The trust you act by has ended.")
    if parent.redelegation_count < 1:
        raise NotAllowed("The trust you act by may not be handed on.")
    if parent.project_id != row.project_id:
        raise NotAllowed("A trust can be handed on for its own project only.")
    if not set(msgspec.json.decode(row.role_ids)) <= set(msgspec.json.decode(parent.role_ids)):
        raise NotAllowed("Some of the requested roles are not in the redelegated trust.")
    if parent.expires_at and (not row.expires_at or row.expires_at > parent.expires_at):
        if row.expires_at:
            raise NotAllowed("The requested expiration is later than that of the redelegated trust.")
        row.expires_at = parent.expires_at
    if row.impersonation and not parent.impersonation:
        raise NotAllowed("Impersonation is not allowed because the redelegated trust does not specify it.")
    row.redelegated_from = parent.id
    row.redelegation_count = min(row.redelegation_count, parent.redelegation_count - 1)
