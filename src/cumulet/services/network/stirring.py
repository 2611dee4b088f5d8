"""Marking rows whose order to the nodes must be looked at again."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Query, Row, Transaction, stored


@stored("network_departures")
class DepartureRow(Row):
    """Something whose row is gone while nodes may still hold it; kept until they have been told."""

    kind: Annotated[str, sa.String(16), PRIMARY]
    id: Annotated[str, sa.String(36), PRIMARY]


@cache
def _stir_query(row: type[Row]) -> Query:
    return Query(
        sa.update(row.table)
        .where(row.c.id.in_(sa.bindparam("w_ids", expanding=True)))
        .values(generation=row.c.generation + 1, unsettled=sa.true())
    )


async def stir(tx: Transaction, row: type[Row], topic: str, ids: Collection[str]) -> None:
    """The wish of these rows changed: their reconciler looks at them, now or after a crash."""
    wanted = sorted(id for id in ids if id)
    if wanted:
        await tx.execute(_stir_query(row), {"w_ids": wanted})
        for id in wanted:
            tx.wake(topic, id)


async def depart(tx: Transaction, kind: str, id: str) -> None:
    """A row goes: nodes that hold it are to let go of it."""
    if not await tx.get(DepartureRow, kind=kind, id=id):
        await tx.insert(DepartureRow(kind, id))
    tx.wake(kind, id)


async def settle(tx: Transaction, row: type[Row], id: str, generation: int) -> None:
    """All nodes have been told this generation."""
    await tx.update(row, {"id": id, "generation": generation}, unsettled=False)
