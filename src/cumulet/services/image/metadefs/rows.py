"""What we remember of metadata definitions. Whatever is in a namespace refers to its id, so that it may be renamed."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Json, LongText, Name, Ref, Row, Short, Transaction, stored

InNamespace = Annotated[str, sa.String(64), PRIMARY]
KeyName = Annotated[str, sa.String(255), PRIMARY]


@stored("image_md_namespaces", sa.Index("image_md_namespaces_name", "namespace", unique=True))
class NamespaceRow(Row):
    """A vocabulary."""

    id: Id
    namespace: Name
    owner: Ref
    visibility: Short
    protected: bool
    display_name: Name
    description: LongText
    created_at: Instant
    updated_at: Instant


@stored("image_md_objects")
class ObjectRow(Row):
    """A group of properties that belong together."""

    namespace_id: InNamespace
    name: KeyName
    description: LongText
    required: Json
    properties: Json
    created_at: Instant
    updated_at: Instant


@stored("image_md_properties")
class PropertyDefinitionRow(Row):
    """One property, as a JSON schema."""

    namespace_id: InNamespace
    name: KeyName
    schema: Json
    created_at: Instant
    updated_at: Instant


@stored("image_md_tags")
class TagDefinitionRow(Row):
    """A word without a value."""

    namespace_id: InNamespace
    name: KeyName
    created_at: Instant
    updated_at: Instant


@stored("image_md_associations")
class AssociationRow(Row):
    """A type of resource that a namespace is meant for."""

    namespace_id: InNamespace
    name: KeyName
    prefix: Name
    properties_target: Name
    created_at: Instant
    updated_at: Instant


@stored("image_md_resource_types")
class ResourceTypeRow(Row):
    """A type of resource that somebody named, besides those that every cloud has."""

    name: KeyName
    created_at: Instant
    updated_at: Instant


INSIDE: tuple[type[Row], ...] = (ObjectRow, PropertyDefinitionRow, TagDefinitionRow, AssociationRow)


async def empty(tx: Transaction, namespace_id: str) -> None:
    """Remove all that a namespace holds."""
    for row in INSIDE:
        await tx.delete(row, namespace_id=namespace_id)
