"""What is in a namespace: made together with it, and shown together with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec

from cumulet.core.db import Row, Transaction
from cumulet.lib.clock import iso_seconds
from cumulet.services.image.errors import DefinitionNotFound, InvalidDefinition
from cumulet.services.image.metadefs.property_schema import check_schemas
from cumulet.services.image.metadefs.rows import (
    AssociationRow,
    ObjectRow,
    PropertyDefinitionRow,
    ResourceTypeRow,
    TagDefinitionRow,
)

KNOWN_TYPES = (
    "OS::Cinder::Volume",
    "OS::Glance::Image",
    "OS::Nova::Aggregate",
    "OS::Nova::Flavor",
    "OS::Nova::Server",
    "OS::Trove::Instance",
)
"""The types of resource that every cloud has."""

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class GivenObject(msgspec.Struct, forbid_unknown_fields=True):
    name: Key
    description: Annotated[str, msgspec.Meta(max_length=65535)] = ""
    required: Annotated[list[Key], msgspec.Meta(max_length=1000)] = []
    properties: dict[str, Any] = {}


class GivenTag(msgspec.Struct, forbid_unknown_fields=True):
    name: Key


class GivenAssociation(msgspec.Struct, forbid_unknown_fields=True):
    name: Key
    prefix: Annotated[str, msgspec.Meta(max_length=80)] = ""
    properties_target: Annotated[str, msgspec.Meta(max_length=80)] = ""


class Given(msgspec.Struct):
    objects: list[GivenObject] = []
    properties: dict[str, Any] = {}
    tags: list[GivenTag] = []
    resource_type_associations: list[GivenAssociation] = []


def read(namespace_id: str, wish: Mapping[str, Any], now: int) -> list[Row]:
    """The rows of all that shall be made together with a namespace. Raises InvalidDefinition."""
    try:
        given = msgspec.convert(dict(wish), Given)
    except msgspec.ValidationError as error:
        raise InvalidDefinition(f"Provided object does not match schema 'namespace': {error}") from error
    rows: list[Row] = [object_row(namespace_id, found, now) for found in given.objects]
    rows += property_rows(namespace_id, given.properties, now)
    rows += [TagDefinitionRow(namespace_id, found.name, now, now) for found in given.tags]
    rows += [
        AssociationRow(namespace_id, found.name, found.prefix, found.properties_target, now, now)
        for found in given.resource_type_associations
    ]
    for row in rows:
        if "\x00" in getattr(row, "name", ""):
            raise InvalidDefinition("name: holds a NUL character, which no name may hold")
    return rows


def object_row(namespace_id: str, given: GivenObject, now: int) -> ObjectRow:
    schemas = check_schemas(given.properties)
    return ObjectRow(namespace_id, given.name, given.description, _json(given.required), _json(schemas), now, now)


def property_rows(namespace_id: str, schemas: Mapping[str, Any], now: int) -> list[PropertyDefinitionRow]:
    checked = check_schemas(dict(schemas))
    return [PropertyDefinitionRow(namespace_id, name, _json(schema), now, now) for name, schema in checked.items()]


async def know_types(tx: Transaction, names: Iterable[str], now: int) -> None:
    """Keep the names of types that nobody named before."""
    for name in names:
        if name not in KNOWN_TYPES and not await tx.get(ResourceTypeRow, name=name):
            await tx.insert(ResourceTypeRow(name, now, now))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


# ---- showing ---------------------------------------------------------------------------------------------------------


async def show(tx: Transaction, namespace_id: str, resource_type: str) -> dict[str, Any]:
    """All that is in a namespace. With a type of resource, names carry the prefix that they have there."""
    types = await tx.find(AssociationRow, order_by="name", namespace_id=namespace_id)
    prefix = prefix_of(types, resource_type)
    objects = await tx.find(ObjectRow, order_by="name", namespace_id=namespace_id)
    properties = await tx.find(PropertyDefinitionRow, order_by="name", namespace_id=namespace_id)
    tags = await tx.find(TagDefinitionRow, order_by="name", namespace_id=namespace_id)
    shown: dict[str, Any] = {
        "resource_type_associations": [association(row) for row in types],
        "objects": [_object(row, prefix) for row in objects],
        "properties": {prefix + row.name: msgspec.Raw(row.schema.encode()) for row in properties},
        "tags": [{"name": row.name} for row in tags],
    }
    return {name: value for name, value in shown.items() if value}


def prefix_of(types: Iterable[AssociationRow], resource_type: str) -> str:
    """What stands before the names of properties on resources of this type; nothing without one."""
    if not resource_type:
        return ""
    for row in types:
        if row.name == resource_type:
            return row.prefix
    raise DefinitionNotFound(f"The namespace is not associated with the resource type {resource_type[:80]}.")


def _object(row: ObjectRow, prefix: str) -> dict[str, Any]:
    schemas = msgspec.json.decode(row.properties, type=dict[str, msgspec.Raw])
    return {
        "name": row.name,
        "description": row.description,
        "required": msgspec.Raw(row.required.encode()),
        "properties": {prefix + name: schema for name, schema in schemas.items()},
    }


def association(row: AssociationRow) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": row.name}
    if row.prefix:
        shown["prefix"] = row.prefix
    if row.properties_target:
        shown["properties_target"] = row.properties_target
    return shown | {"created_at": iso_seconds(row.created_at), "updated_at": iso_seconds(row.updated_at)}
