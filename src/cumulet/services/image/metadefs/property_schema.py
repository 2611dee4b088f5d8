"""The JSON schema of one property: what may stand in it. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from cumulet.services.image.errors import InvalidDefinition

Kind = Literal["array", "boolean", "integer", "number", "object", "string"]
Text = Annotated[str, msgspec.Meta(max_length=65535)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Most = msgspec.Meta(max_length=1000)


class Items(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What the elements of a list may be."""

    type: Kind | None = None
    enum: Annotated[list[Any], Most] | None = None


class PropertySchema(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    """A property's type, its bounds and its words for people."""

    title: Text
    type: Kind
    name: Annotated[str, msgspec.Meta(max_length=80)] | None = None
    description: Text | None = None
    operators: Annotated[list[Text], Most] | None = None
    default: Any = msgspec.UNSET
    readonly: bool | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: Count | None = None
    max_length: Count | None = None
    pattern: Text | None = None
    enum: Annotated[list[Any], Most] | None = None
    items: Items | None = None
    min_items: Count | None = None
    max_items: Count | None = None
    unique_items: bool | None = None
    additional_items: bool | None = None
    required: Annotated[list[Text], Most] | None = None


def check_schema(name: str, schema: Any) -> dict[str, Any]:
    """The schema as it is kept. Raises InvalidDefinition."""
    try:
        checked = msgspec.convert(schema, PropertySchema)
    except msgspec.ValidationError as error:
        raise InvalidDefinition(f"properties: {name[:80]}: {error}") from error
    needed = checked.required
    if needed is not None and (not needed or len(set(needed)) < len(needed)):
        raise InvalidDefinition(f"properties: {name[:80]}: required: name one or more, and none of them twice")
    kept: dict[str, Any] = msgspec.to_builtins(checked)
    kept.pop("name", None)
    return kept


def check_schemas(schemas: dict[str, Any]) -> dict[str, Any]:
    """Several schemas by the names of their properties."""
    for name in schemas:
        if not 0 < len(name) <= 80 or "\x00" in name:
            raise InvalidDefinition(f"properties: the name {name[:80]!r} must have 1 to 80 characters")
    return {name: check_schema(name, schema) for name, schema in schemas.items()}
