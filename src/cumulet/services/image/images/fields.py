"""The attributes of an image that a client may set, and how each is kept. Creation and patches share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.wire import Enum, ListOf, StrictBool, StrictInt, Text, Uuid
from cumulet.services.image.errors import InvalidImage, LimitExceeded, ReadOnly
from cumulet.services.image.images.row import ImageRow, in_json

CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop")
VISIBILITIES = ("public", "private", "shared", "community")

MOST_PROPERTIES = 128
MOST_TAGS = 128

SETTABLE = (
    Field("name", Text(255).or_null(), create=OPTIONAL),
    Field("visibility", Enum(*VISIBILITIES), create=OPTIONAL),
    Field("container_format", Enum(*CONTAINER_FORMATS).or_null(), create=OPTIONAL),
    Field("disk_format", Enum(*DISK_FORMATS).or_null(), create=OPTIONAL),
    Field("min_disk", StrictInt(0, 2**31 - 1), create=OPTIONAL),
    Field("min_ram", StrictInt(0, 2**31 - 1), create=OPTIONAL),
    Field("owner", Text(64).or_null(), create=OPTIONAL),
    Field("protected", StrictBool, create=OPTIONAL),
    Field("os_hidden", StrictBool, create=OPTIONAL),
    Field("tags", ListOf(Text(255), most=10_000), create=OPTIONAL),
)
TYPES = {field.name: field.type for field in SETTABLE}

FIELDS = (Field("id", Uuid, create=OPTIONAL), *SETTABLE)
"""What a client may send when he creates an image."""

READ_ONLY = frozenset(
    (
        *("id", "created_at", "updated_at", "status", "checksum", "os_hash_algo", "os_hash_value", "size"),
        *("virtual_size", "direct_url", "self", "file", "schema", "stores", "locations"),
    )
)
RESERVED = "os_glance"
"""Beginning of the properties by which the service tells of its own work."""

_COLUMNS = {"os_hidden": "hidden"}


def refuse_reserved(name: str) -> None:
    """Raise ReadOnly for attributes that clients never set."""
    if name in READ_ONLY:
        raise ReadOnly(f"Attribute '{name}' is read-only.")
    if name.startswith(RESERVED):
        raise ReadOnly(f"Attribute '{name[:255]}' is reserved.")


def checked(name: str, value: Any) -> Any:
    """A value for an attribute, from JSON. Raises InvalidImage."""
    kind = TYPES[name]
    try:
        return kind.clean(msgspec.convert(value, kind.type_at(0)), 0)
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidImage(f"Provided object does not match schema 'image': {name}: {error}") from error


def with_field(row: ImageRow, name: str, value: Any) -> ImageRow:
    """The row with an attribute set to a checked value."""
    if name == "name":
        return replace(row, name=value or "", named=value is not None)
    if name == "tags":
        return with_tags(row, value)
    if value is None:
        value = ""
    return replace(row, **{_COLUMNS.get(name, name): value})


def with_tags(row: ImageRow, tags: list[str]) -> ImageRow:
    """The row with these tags."""
    unique = sorted(set(tags))
    if len(unique) > MOST_TAGS:
        raise LimitExceeded(f"The limit has been exceeded on the number of allowed image tags: {MOST_TAGS}.")
    return replace(row, tags=in_json(unique))


def with_properties(row: ImageRow, properties: Mapping[str, str]) -> ImageRow:
    """The row with these properties, each checked."""
    for name, value in properties.items():
        if not 0 < len(name) <= 255 or "\x00" in name:
            raise InvalidImage(f"The property name {name[:60]!r} is not allowed: use 1 to 255 characters.")
        if not isinstance(value, str):
            raise InvalidImage(f"Provided object does not match schema 'image': {name}: the value must be a string")
        if "\x00" in value or len(value) > 65535:
            raise InvalidImage(f"The value of property {name} is too long or holds a NUL character.")
    if len([name for name in properties if not name.startswith(RESERVED)]) > MOST_PROPERTIES:
        raise LimitExceeded(
            f"The limit has been exceeded on the number of allowed image properties: {MOST_PROPERTIES}."
        )
    return replace(row, properties=in_json(dict(sorted(properties.items()))))
