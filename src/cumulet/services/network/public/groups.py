"""Security groups by the names that compute's users know them by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.services.network import rbac
from cumulet.services.network.networks.errors import NetworkAmbiguous
from cumulet.services.network.security_groups.errors import SecurityGroupNotFound
from cumulet.services.network.security_groups.row import SecurityGroupRow

_SHARED = Query(sa.select(SecurityGroupRow.table).where(SecurityGroupRow.c.id.in_(rbac.shared_ids("security_group"))))


async def group_ids(tx: Transaction, project_id: str, groups: Sequence[str]) -> list[str]:
    """Ids of groups, given by name or id, that a project may use. Raises SecurityGroupNotFound, NetworkAmbiguous."""
    if not groups:
        return []
    own = await tx.find(SecurityGroupRow, project_id=project_id)
    shared = await tx.rows(SecurityGroupRow, _SHARED, {"caller_project": project_id})
    known = {row.id: row for row in [*own, *shared]}
    return [_meant(name, known) for name in dict.fromkeys(groups)]


def _meant(name: str, known: Mapping[str, SecurityGroupRow]) -> str:
    if name in known:
        return name
    found = [row.id for row in known.values() if row.name == name]
    if len(found) > 1:
        raise NetworkAmbiguous(
            f"Multiple security groups found matching '{name}'. Use an ID to be more specific.",
            type_name="NoUniqueMatch",
        )
    if not found:
        raise SecurityGroupNotFound(f"Security group {name} not found.")
    return found[0]
