"""Quotas: a counter for each project and resource, moved in the transaction that makes or removes the counted row."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from typing import Annotated, NamedTuple

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Duplicate, Query, Row, Transaction, stored
from cumulet.core.db.engine import Collision
from cumulet.core.errors import OverQuota

UNLIMITED = -1
EVERYBODY = ""
"""The project whose limits are the defaults of all."""
REMEMBERED = 10_000
"""Projects whose unified limits are remembered."""


class Allowance(NamedTuple):
    """What identity's unified limits allow a project, under their names there."""

    own: Mapping[str, int]
    shared: Mapping[str, int] = {}
    """What the projects `among` may hold together."""
    among: tuple[str, ...] = ()
    shared_by: str = ""
    """The domain whose limit that is."""


UnifiedLimits = Callable[[str], Awaitable[Allowance]]
"""From a project to what it is allowed."""


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
    elsewhere = sa.bindparam("elsewhere", type_=sa.BigInteger)
    limit = sa.func.coalesce(elsewhere, QuotaRow.c.allowed, sa.bindparam("default"))
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


@cache
def _held_query() -> Query:
    return Query(
        sa.select(sa.func.coalesce(sa.func.sum(QuotaRow.c.used), 0)).where(
            QuotaRow.c.room == sa.bindparam("room"),
            QuotaRow.c.resource == sa.bindparam("resource"),
            QuotaRow.c.project_id.in_(sa.bindparam("among", expanding=True)),
        )
    )


class Quota:
    """The counters of one room. `defaults` names each resource and how much of it a project may hold; -1: any.

    A room may count more than these, such as something for each of its types; it names them where it asks. A project
    may hold any number of them until somebody sets a limit.

    A resource that is registered in identity is limited there (`unified`, under the name in `registered_as` or its
    own); all others by the limits set in this room. Neighbours are asked outside of transactions, so a limit set
    elsewhere is in force from the next `learn` on.
    """

    def __init__(
        self,
        room: str,
        defaults: Mapping[str, int],
        unified: UnifiedLimits | None = None,
        registered_as: Mapping[str, str] = {},
    ) -> None:
        self.room = room
        self.defaults = dict(defaults)
        self._unified = unified
        self._registered_as = {name: registered_as.get(name, name) for name in defaults}
        self._learned: OrderedDict[str, Allowance] = OrderedDict()

    async def learn(self, project_id: str, holder: str = "") -> None:
        """Ask identity what the project is allowed now, for it or for the user who counts in its place.

        To be called before the transaction that takes.
        """
        if self._unified is None or not project_id:
            return
        holder = holder or project_id
        self._learned[holder] = await self._unified(project_id)
        self._learned.move_to_end(holder)
        while len(self._learned) > REMEMBERED:
            self._learned.popitem(last=False)

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
        for resource, n in amounts.items():
            if n > 0:
                await self._share(tx, project_id, resource, n)

    async def count(self, tx: Transaction, project_id: str, **amounts: int) -> None:
        """Count in what came without its size being known before: it may go beyond the limit, though not by itself.

        Raises OverQuota, which undoes the transaction. Negative amounts give back.
        """
        limits = await self.limits(tx, project_id) if any(n > 0 for n in amounts.values()) else {}
        for resource, n in amounts.items():
            if n < 0:
                await self.give_back(tx, project_id, **{resource: -n})
            elif n and 0 <= limits[resource] < n:
                raise OverQuota(await self._sentence(tx, project_id, [resource], amounts), (resource,))
            elif n:
                await self._add(tx, project_id, resource, n, limit=UNLIMITED)

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
        here = {name: set_here.get(name, default) for name, default in known.items()}
        return {**here, **self._registered(project_id)}

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

    def _registered(self, project_id: str) -> dict[str, int]:
        """The limits that stand in identity, under their names here."""
        if not (learned := self._learned.get(project_id)):
            return {}
        return {name: learned.own[there] for name, there in self._registered_as.items() if there in learned.own}

    async def _share(self, tx: Transaction, project_id: str, resource: str, n: int) -> None:
        """Raise OverQuota if those who share a limit now hold more than it allows."""
        learned = self._learned.get(project_id)
        most = learned.shared.get(self._registered_as.get(resource, resource), UNLIMITED) if learned else UNLIMITED
        if learned is None or most < 0:
            return
        await self._wait_for_turn(tx, learned.shared_by, resource)
        held = int(await tx.scalar(_held_query(), {"room": self.room, "resource": resource, "among": learned.among}))
        if held > most:
            raise OverQuota(
                f"Quota exceeded for {resource}: requested {n}, but the projects of domain {learned.shared_by} already "
                f"used {held - n} of {most}. Remove some, or ask an administrator to raise its limit.",
                (resource,),
            )

    async def _wait_for_turn(self, tx: Transaction, shared_by: str, resource: str) -> None:
        """Whoever counts against this shared limit at the same time waits here for our transaction to end."""
        if await tx.execute(_release_query(), self._address(shared_by, resource) | {"n": 0}):
            return
        try:
            await tx.insert(QuotaRow(self.room, shared_by, resource))
        except Duplicate as race:
            raise Collision("quota row") from race

    def _address(self, project_id: str, resource: str) -> dict[str, object]:
        return {"w_room": self.room, "w_project": project_id, "w_resource": resource}

    async def _take(self, tx: Transaction, project_id: str, resource: str, n: int) -> bool:
        return await self._add(tx, project_id, resource, n, limit=self._registered(project_id).get(resource))

    async def _add(self, tx: Transaction, project_id: str, resource: str, n: int, *, limit: int | None) -> bool:
        """Count in, unless it would pass the limit; None: the one set in this room."""
        for_all = await tx.get(QuotaRow, room=self.room, project_id=EVERYBODY, resource=resource)
        default = (
            self.defaults.get(resource, UNLIMITED) if for_all is None or for_all.allowed is None else for_all.allowed
        )
        values = self._address(project_id, resource) | {"n": n, "default": default, "elsewhere": limit}
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
