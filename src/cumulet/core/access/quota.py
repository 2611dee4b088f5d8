"""Quotas: a counter for each project and resource, moved in the transaction that makes or removes the counted row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Duplicate, Query, Row, Transaction, stored
from cumulet.core.db.engine import Collision
from cumulet.core.errors import OverQuota

UNLIMITED = -1
EVERYBODY = ""
"""The project whose limits are the defaults of all."""


@stored("quota_usages")
class QuotaRow(Row):
    """How much of one resource a project may hold, and holds. `allowed` is None while nobody has set it."""

    room: Annotated[str, sa.String(32), PRIMARY]
    project_id: Annotated[str, sa.String(64), PRIMARY]
    resource: Annotated[str, sa.String(64), PRIMARY]
    used: Annotated[int, sa.BigInteger] = 0
    allowed: Annotated[int, sa.BigInteger] | None = None


@cache
def _take_query() -> Query:
    limit = sa.func.coalesce(QuotaRow.c.allowed, sa.bindparam("default"))
    return Query(
        sa.update(QuotaRow.table)
        .where(
            QuotaRow.c.room == sa.bindparam("w_room"),
            QuotaRow.c.project_id == sa.bindparam("w_project"),
            QuotaRow.c.resource == sa.bindparam("w_resource"),
            sa.or_(limit < 0, QuotaRow.c.used + sa.bindparam("n", type_=sa.BigInteger) <= limit),
        )
        .values(used=QuotaRow.c.used + sa.bindparam("n", type_=sa.BigInteger))
    )


@cache
def _release_query() -> Query:
    return Query(
        sa.update(QuotaRow.table)
        .where(
            QuotaRow.c.room == sa.bindparam("w_room"),
            QuotaRow.c.project_id == sa.bindparam("w_project"),
            QuotaRow.c.resource == sa.bindparam("w_resource"),
        )
        .values(used=QuotaRow.c.used - sa.bindparam("n", type_=sa.BigInteger))
    )


class Quota:
    """The counters of one room. `defaults` names each resource and how much of it a project may hold; -1: any.

    A room may count more than these, such as something for each of its types; it names them where it asks. A project
    may hold any number of them until somebody sets a limit.
    """

    def __init__(self, room: str, defaults: Mapping[str, int]) -> None:
        self.room = room
        self.defaults = dict(defaults)

    async def take(self, tx: Transaction, project_id: str, **amounts: int) -> None:
        """Count these in, or raise OverQuota, which undoes the transaction. Negative amounts give back."""
        over: list[str] = []
        for resource, n in amounts.items():
            if n < 0:
                await self.give_back(tx, project_id, **{resource: -n})
            elif n and not await self._take(tx, project_id, resource, n):
                over.append(resource)
        if over:
            raise OverQuota(await self._sentence(tx, project_id, over, amounts), tuple(over))

    async def give_back(self, tx: Transaction, project_id: str, **amounts: int) -> None:
        for resource, n in amounts.items():
            if n:
                await tx.execute(_release_query(), self._address(project_id, resource) | {"n": n})

    async def limits(self, tx: Transaction, project_id: str, more: Iterable[str] = ()) -> dict[str, int]:
        """What the project may hold of each resource, and of `more`."""
        known = {**self.defaults, **dict.fromkeys(more, UNLIMITED)}
        rows = await tx.find(QuotaRow, room=self.room, project_id=[EVERYBODY, project_id])
        rows.sort(key=lambda row: row.project_id != EVERYBODY)
        set_here = {row.resource: row.allowed for row in rows if row.allowed is not None}
        return {name: set_here.get(name, default) for name, default in known.items()}

    async def usage(self, tx: Transaction, project_id: str, more: Iterable[str] = ()) -> dict[str, int]:
        """What the project holds of each resource, and of `more`."""
        rows = await tx.find(QuotaRow, room=self.room, project_id=project_id)
        held = {row.resource: row.used for row in rows}
        return {name: held.get(name, 0) for name in (*self.defaults, *more)}

    async def set_limit(self, tx: Transaction, project_id: str, resource: str, allowed: int | None) -> None:
        """Set what a project may hold, or with EVERYBODY each that has no limit of its own; None: the default."""
        where = {"room": self.room, "project_id": project_id, "resource": resource}
        if not await tx.update(QuotaRow, where, allowed=allowed):
            await tx.insert(QuotaRow(self.room, project_id, resource, 0, allowed))

    def _address(self, project_id: str, resource: str) -> dict[str, object]:
        return {"w_room": self.room, "w_project": project_id, "w_resource": resource}

    async def _take(self, tx: Transaction, project_id: str, resource: str, n: int) -> bool:
        for_all = await tx.get(QuotaRow, room=self.room, project_id=EVERYBODY, resource=resource)
        default = (
            self.defaults.get(resource, UNLIMITED) if for_all is None or for_all.allowed is None else for_all.allowed
        )
        values = self._address(project_id, resource) | {"n": n, "default": default}
        if await tx.execute(_take_query(), values):
            return True
        if await tx.get(QuotaRow, room=self.room, project_id=project_id, resource=resource):
            return False
        try:
            await tx.insert(QuotaRow(self.room, project_id, resource))
        except Duplicate as race:  # another transaction was the first to count this; look again from the start
            raise Collision("quota row") from race
        return bool(await tx.execute(_take_query(), values))

    async def _sentence(self, tx: Transaction, project_id: str, over: list[str], asked: Mapping[str, int]) -> str:
        more = [name for name in over if name not in self.defaults]
        limits, used = await self.limits(tx, project_id, more), await self.usage(tx, project_id, more)
        parts = [f"{name}: requested {asked[name]}, but already used {used[name]} of {limits[name]}" for name in over]
        return f"Quota exceeded for {'; '.join(parts)}. Remove some, or ask an administrator to raise the quota."
