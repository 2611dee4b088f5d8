"""Hosts that an administrator took a network or a router from."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Row, Transaction, stored


@stored("network_exclusions", sa.Index("network_exclusions_host", "host"))
class ExclusionRow(Row):
    """This host is not to serve this network or router."""

    id: Annotated[str, sa.String(36), PRIMARY]
    host: Annotated[str, sa.String(255), PRIMARY]


async def excluded_hosts(tx: Transaction, id: str) -> set[str]:
    return {row.host for row in await tx.find(ExclusionRow, id=id)}


async def exclude(tx: Transaction, id: str, host: str) -> None:
    if not await tx.get(ExclusionRow, id=id, host=host):
        await tx.insert(ExclusionRow(id, host))


async def include(tx: Transaction, id: str, host: str = "") -> None:
    """Take an exclusion back; all of them when no host is named."""
    await tx.delete(ExclusionRow, id=id, **({"host": host} if host else {}))
