"""What we remember of a project."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Json, LongText, Name, Ref, Row, Transaction, stored


@stored(
    "identity_projects",
    sa.Index("identity_projects_name", "domain_id", "name", unique=True),
    sa.Index("identity_projects_parent", "parent_id"),
)
class ProjectRow(Row):
    """A place where resources belong. A domain is one too: it has no domain and no parent."""

    id: Id
    name: Name
    domain_id: Ref
    """Empty for a domain."""
    parent_id: Ref
    """The domain itself for a project at the top."""
    is_domain: bool
    enabled: bool
    description: LongText
    lineage: Name
    """The ids above it, from the domain down, each followed by a slash. A parent never changes, nor does this."""
    tags: Json
    options: Json
    extra: Json
    created_at: Instant

    @property
    def ancestors(self) -> list[str]:
        """The ids above it, from the domain down."""
        return self.lineage.split("/")[:-1]

    @property
    def home(self) -> str:
        """The domain it belongs to; a domain belongs to itself."""
        return self.domain_id or self.id

    @property
    def is_immutable(self) -> bool:
        return bool(self.chosen.get("immutable"))

    @property
    def chosen(self) -> dict[str, Any]:
        """The options that are set."""
        found: dict[str, Any] = msgspec.json.decode(self.options) if self.options != "{}" else {}
        return found


async def project_of(tx: Transaction, id_: str) -> ProjectRow | None:
    return await tx.get(ProjectRow, id=id_) if id_ else None


async def domain_of(tx: Transaction, id_: str) -> ProjectRow | None:
    """The domain of this id; a project of this id is none."""
    row = await project_of(tx, id_)
    return row if row and row.is_domain else None
