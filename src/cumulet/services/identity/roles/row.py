"""What we remember of roles, and the book of all of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Json, LongText, Name, Ref, Row, Transaction, stored


@stored("identity_roles", sa.Index("identity_roles_name", "domain_id", "name", unique=True))
class RoleRow(Row):
    """A duty. With a domain it is that domain's private word, of which only what it implies reaches a token."""

    id: Id
    domain_id: Ref
    name: Name
    description: LongText
    options: Json
    extra: Json
    created_at: Instant

    @property
    def is_immutable(self) -> bool:
        return bool(self.chosen.get("immutable"))

    @property
    def chosen(self) -> dict[str, Any]:
        """The options that are set."""
        found: dict[str, Any] = msgspec.json.decode(self.options) if self.options != "{}" else {}
        return found


@stored("identity_implied_roles")
class ImpliedRoleRow(Row):
    """Who has the prior role has the implied one too."""

    prior_id: Annotated[str, sa.String(64), PRIMARY]
    implied_id: Annotated[str, sa.String(64), PRIMARY]


class RoleBook(msgspec.Struct, frozen=True):
    """All roles and what they imply: few, and needed for every token."""

    roles: dict[str, RoleRow]
    implies: dict[str, tuple[str, ...]]

    def closure(self, role_ids: set[str]) -> set[str]:
        """These roles and everything they imply."""
        found: set[str] = set()
        open_ = list(role_ids)
        while open_:
            role_id = open_.pop()
            if role_id not in found and role_id in self.roles:
                found.add(role_id)
                open_ += self.implies.get(role_id, ())
        return found

    def in_token(self, role_ids: set[str]) -> list[RoleRow]:
        """The roles that a token shows for these: implied ones too, private ones not."""
        shown = [self.roles[role_id] for role_id in self.closure(role_ids)]
        return sorted((role for role in shown if not role.domain_id), key=lambda role: role.name)


async def read_book(tx: Transaction) -> RoleBook:
    """The role book as it stands."""
    implies: dict[str, tuple[str, ...]] = {}
    for row in await tx.find(ImpliedRoleRow):
        implies[row.prior_id] = (*implies.get(row.prior_id, ()), row.implied_id)
    return RoleBook({row.id: row for row in await tx.find(RoleRow)}, implies)
