"""What do we remember of volume types?"""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Json, LongText, Name, Ref, Row, stored

TypeRef = Annotated[str, sa.String(64), PRIMARY]


@stored("block_storage_types", sa.Index("block_storage_types_name", "name", unique=True))
class TypeRow(Row):
    """A volume type."""

    id: Id
    name: Name
    description: LongText | None
    public: bool
    extra_specs: Json
    qos_specs_id: Ref
    encryption: Json
    """Empty text: none."""
    created_at: Instant
    updated_at: Instant


@stored("block_storage_type_access", sa.Index("block_storage_type_access_project", "project_id"))
class TypeAccessRow(Row):
    """A project that may use a private type."""

    type_id: TypeRef
    project_id: TypeRef


@stored("block_storage_default_types")
class DefaultTypeRow(Row):
    """The type that a project's volumes have when none was asked for."""

    project_id: Id
    type_id: Ref
    created_at: Instant
