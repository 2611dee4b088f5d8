"""Which groups are concerned when a member comes, goes or changes its addresses."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.services.network.security_groups.row import RuleRow, SecurityGroupRow
from cumulet.services.network.stirring import stir


@cache
def _remotes_query() -> Query:
    return Query(
        sa.select(RuleRow.c.remote_group_id)
        .distinct()
        .where(RuleRow.c.group_id.in_(sa.bindparam("groups", expanding=True)), RuleRow.c.remote_group_id != "")
    )


async def stir_groups(tx: Transaction, group_ids: Collection[str]) -> None:
    """These groups, whose members changed, and those their rules speak of, which a new node needs as well."""
    if group_ids:
        remotes = await tx.tuples(_remotes_query(), {"groups": list(group_ids)})
        await stir(tx, SecurityGroupRow, "group", {*group_ids, *(remote for (remote,) in remotes)})
