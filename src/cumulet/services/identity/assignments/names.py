"""The names of those whom assignments speak of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from cumulet.core.db import Transaction
from cumulet.services.identity.assignments.effective import Entry
from cumulet.services.identity.assignments.row import GROUP, SYSTEM, USER
from cumulet.services.identity.groups.row import GroupRow
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.roles.row import RoleRow
from cumulet.services.identity.users.row import UserRow

R = TypeVar("R", UserRow, GroupRow, RoleRow, ProjectRow)
PART = 500


@dataclass(frozen=True)
class Names:
    """Rows by id."""

    users: dict[str, UserRow]
    groups: dict[str, GroupRow]
    roles: dict[str, RoleRow]
    places: dict[str, ProjectRow]

    def knows(self, entry: Entry) -> bool:
        """Does everything exist that the entry speaks of?"""
        actors: dict[str, Any] = self.users if entry.actor == USER else self.groups
        place = entry.kind == SYSTEM or entry.target_id in self.places
        return entry.actor_id in actors and entry.role_id in self.roles and place

    def home(self, entry: Entry) -> str:
        """The domain of the place; none for the system."""
        return "" if entry.kind == SYSTEM else self.places[entry.target_id].home

    def brief(self, kind: str, id_: str) -> dict[str, Any]:
        """Id and name, with those of the domain."""
        tables: dict[str, dict[str, Any]] = {USER: self.users, GROUP: self.groups, "role": self.roles}
        row = tables.get(kind, self.places)[id_]
        shown: dict[str, Any] = {"id": row.id, "name": row.name}
        domain = self.places.get(row.domain_id)
        if domain:
            shown["domain"] = {"id": domain.id, "name": domain.name}
        return shown


async def read_names(tx: Transaction, entries: list[Entry]) -> Names:
    """All rows that entries speak of, and their domains."""
    users = await _by_id(tx, UserRow, (entry.actor_id for entry in entries if entry.actor == USER))
    groups = await _by_id(tx, GroupRow, (entry.actor_id for entry in entries if entry.actor == GROUP))
    roles = await _by_id(tx, RoleRow, (entry.role_id for entry in entries))
    places = await _by_id(tx, ProjectRow, (entry.target_id for entry in entries if entry.kind != SYSTEM))
    owned: list[Any] = [*users.values(), *groups.values(), *roles.values(), *places.values()]
    places |= await _by_id(tx, ProjectRow, (row.domain_id for row in owned if row.domain_id not in places))
    return Names(users, groups, roles, places)


async def _by_id(tx: Transaction, row: type[R], ids: Iterable[str]) -> dict[str, R]:
    wanted = sorted({id_ for id_ in ids if id_})
    found: list[R] = []
    for place in range(0, len(wanted), PART):
        found += await tx.find(row, id=wanted[place : place + PART])
    return {one.id: one for one in found}
