"""The JSON schemas that clients fetch to learn what the nouns of this service look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cumulet.core.room import Room
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.image.images.fields import CONTAINER_FORMATS, DISK_FORMATS, VISIBILITIES

Schema = dict[str, Any]

_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
_STATUSES = (
    *("queued", "saving", "active", "killed", "deleted", "uploading", "importing"),
    *("pending_delete", "deactivated"),
)


def _text(description: str, most: int = 0, **more: Any) -> Schema:
    return {"type": "string", "description": description, **({"maxLength": most} if most else {}), **more}


def _or_null(schema: Schema) -> Schema:
    """The schema with null as one more value."""
    found = dict(schema, type=["null", schema["type"]])
    if "enum" in found:
        found["enum"] = [None, *found["enum"]]
    return found


def _seen(schema: Schema) -> Schema:
    """The schema of what a client only reads."""
    return {**schema, "readOnly": True}


def _number(description: str) -> Schema:
    return {"type": "integer", "description": description}


def _flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _instant(description: str) -> Schema:
    return _seen({"type": "string", "format": "date-time", "description": description})


def _link(relation: str, field: str) -> dict[str, str]:
    return {"rel": relation, "href": f"{{{field}}}"}


_SELF, _DESCRIBED = _link("self", "self"), _link("describedby", "schema")

_LOCATION: Schema = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "maxLength": 255},
        "metadata": {"type": "object"},
        "validation_data": {
            "type": "object",
            "description": "What is known of the data; it must match what the image has, if that has any.",
            "writeOnly": True,
            "additionalProperties": False,
            "properties": {
                "checksum": {"type": "string", "minLength": 32, "maxLength": 32},
                "os_hash_algo": {"type": "string", "maxLength": 64},
                "os_hash_value": {"type": "string", "maxLength": 128},
            },
            "required": ["os_hash_algo", "os_hash_value"],
        },
    },
    "required": ["url", "metadata"],
}

IMAGE: Schema = {
    "name": "image",
    "properties": {
        "id": _text("An identifier for the image", pattern=_UUID),
        "name": _or_null(_text("Descriptive name for the image", 255)),
        "status": _seen(_text("Status of the image", enum=list(_STATUSES))),
        "visibility": _text("Scope of image accessibility", enum=list(VISIBILITIES)),
        "protected": _flag("If true, image will not be deletable."),
        "os_hidden": _flag("If true, image will not appear in default image list response."),
        "checksum": _seen(_or_null(_text("md5 hash of image contents.", 32))),
        "os_hash_algo": _seen(_or_null(_text("Algorithm to calculate the os_hash_value", 64))),
        "os_hash_value": _seen(_or_null(_text("Hexdigest of the image contents by os_hash_algo", 128))),
        "owner": _or_null(_text("Owner of the image", 255)),
        "size": _seen(_or_null(_number("Size of image file in bytes"))),
        "virtual_size": _seen(_or_null(_number("Virtual size of image in bytes"))),
        "container_format": _or_null(_text("Format of the container", enum=list(CONTAINER_FORMATS))),
        "disk_format": _or_null(_text("Format of the disk", enum=list(DISK_FORMATS))),
        "created_at": _seen(_text("Date and time of image registration")),
        "updated_at": _seen(_text("Date and time of the last image modification")),
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}, "description": "List of strings"},
        "min_ram": _number("Amount of ram (in MB) required to boot image."),
        "min_disk": _number("Amount of disk space (in GB) required to boot image."),
        "stores": _seen(_text("Stores in which the data resides, separated by commas")),
        "direct_url": _seen(_text("URL to access the image file kept in external store")),
        "locations": {
            "type": "array",
            "items": _LOCATION,
            "description": "A set of URLs to access the image file kept in external store",
        },
        "self": _seen(_text("An image self url")),
        "file": _seen(_text("An image file url")),
        "schema": _seen(_text("An image schema url")),
    },
    "additionalProperties": {"type": "string"},
    "links": [_SELF, _link("enclosure", "file"), _DESCRIBED],
}

MEMBER: Schema = {
    "name": "member",
    "properties": {
        "member_id": _text("An identifier for the image member (tenantId)"),
        "image_id": _text("An identifier for the image", pattern=_UUID),
        "created_at": _text("Date and time of image member creation"),
        "updated_at": _text("Date and time of last modification of image member"),
        "status": _text("The status of this image member", enum=["pending", "accepted", "rejected"]),
        "schema": _seen({"type": "string"}),
    },
}

TASK: Schema = {
    "name": "task",
    "properties": {
        "id": _text("An identifier for the task", pattern=_UUID),
        "type": _text("The type of task", enum=["import", "api_image_import", "location_import"]),
        "status": _text("The current status", enum=["pending", "processing", "success", "failure"]),
        "input": _or_null({"type": "object", "description": "The parameters required by task"}),
        "result": _or_null({"type": "object", "description": "The result of current task"}),
        "owner": _text("An identifier for the owner of this task"),
        "message": _text("Human-readable informative message, usually on failure"),
        "image_id": _text("Image associated with the task"),
        "request_id": _text("The request that began the task"),
        "user_id": _text("User associated with the task"),
        "expires_at": _or_null(_text("When this task may be removed")),
        "created_at": _text("When this task was created"),
        "updated_at": _text("When this task was updated"),
        "self": _seen({"type": "string"}),
        "schema": _seen({"type": "string"}),
    },
}

_COUNT = {"type": "integer", "minimum": 0}
_TYPES = ["array", "boolean", "integer", "number", "object", "string", None]
_PROPERTY: dict[str, Schema] = {
    "title": {"type": "string"},
    "description": {"type": "string"},
    "type": {"type": "string", "enum": _TYPES},
    "operators": {"type": "array", "items": {"type": "string"}},
    "required": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "minimum": {"type": "number"},
    "maximum": {"type": "number"},
    "maxLength": _COUNT,
    "minLength": _COUNT,
    "pattern": {"type": "string", "format": "regex"},
    "enum": {"type": "array"},
    "readonly": {"type": "boolean"},
    "default": {},
    "items": {
        "type": "object",
        "properties": {"type": {"type": "string", "enum": _TYPES}, "enum": {"type": "array"}},
    },
    "maxItems": _COUNT,
    "minItems": _COUNT,
    "uniqueItems": {"type": "boolean", "default": False},
    "additionalItems": {"type": "boolean"},
}
_MANY_PROPERTIES: Schema = {
    "type": "object",
    "additionalProperties": {"type": "object", "required": ["title", "type"], "properties": _PROPERTY},
}
_CREATED, _UPDATED = _instant("Date and time of creation"), _instant("Date and time of the last modification")
_KEY = _text("The name", 80)

PROPERTY: Schema = {
    "name": "property",
    "required": ["name", "title", "type"],
    "properties": {"name": _KEY, **_PROPERTY},
    "additionalProperties": False,
}
OBJECT: Schema = {
    "name": "object",
    "required": ["name"],
    "properties": {
        "name": _KEY,
        "description": {"type": "string"},
        "required": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "properties": _MANY_PROPERTIES,
        "schema": _seen({"type": "string"}),
        "self": _seen({"type": "string"}),
        "created_at": _CREATED,
        "updated_at": _UPDATED,
    },
    "additionalProperties": False,
    "links": [_SELF, _DESCRIBED],
}
TAG: Schema = {
    "name": "tag",
    "required": ["name"],
    "properties": {"name": _KEY, "created_at": _CREATED, "updated_at": _UPDATED},
    "additionalProperties": False,
}
RESOURCE_TYPE: Schema = {
    "name": "resource_type_association",
    "required": ["name"],
    "properties": {
        "name": _text("Resource type names, as those of Heat wherever there is one", 80),
        "prefix": _text("What stands before the names of properties on this type of resource", 80),
        "properties_target": _text("Which of several places for properties of that resource is meant", 80),
        "created_at": _CREATED,
        "updated_at": _UPDATED,
    },
    "additionalProperties": False,
}
NAMESPACE: Schema = {
    "name": "namespace",
    "required": ["namespace"],
    "properties": {
        "namespace": _text("The unique namespace text.", 80),
        "display_name": _text("The user friendly name for the namespace.", 80),
        "description": _text("Provides a user friendly description of the namespace.", 500),
        "visibility": _text("Scope of namespace accessibility.", enum=["public", "private"]),
        "protected": _flag("If true, namespace will not be deletable."),
        "owner": _text("Owner of the namespace.", 255),
        "created_at": _CREATED,
        "updated_at": _UPDATED,
        "self": _seen({"type": "string"}),
        "schema": _seen({"type": "string"}),
        "resource_type_associations": {
            "type": "array",
            "items": {"type": "object", "properties": RESOURCE_TYPE["properties"]},
        },
        "properties": _MANY_PROPERTIES,
        "objects": {"type": "array", "items": {"type": "object", "properties": OBJECT["properties"]}},
        "tags": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
    "additionalProperties": False,
    "links": [_SELF, _DESCRIBED],
}


def many(name: str, one: Schema) -> Schema:
    """The schema of a page of these."""
    page = {"first": {"type": "string"}, "next": {"type": "string"}, "schema": {"type": "string"}}
    links = [_link("first", "first"), _link("next", "next"), _DESCRIBED]
    return {"name": name, "properties": {name: {"type": "array", "items": one}, **page}, "links": links}


def _properties_by_name() -> Schema:
    listed = many("properties", PROPERTY)
    listed["properties"]["properties"] = {"type": "object", "additionalProperties": PROPERTY}
    return listed


SCHEMAS: Mapping[str, Schema] = {
    "image": IMAGE,
    "images": many("images", IMAGE),
    "member": MEMBER,
    "members": {
        "name": "members",
        "properties": {"members": {"type": "array", "items": MEMBER}, "schema": {"type": "string"}},
        "links": [_DESCRIBED],
    },
    "task": TASK,
    "tasks": many("tasks", TASK),
    "metadefs/namespace": NAMESPACE,
    "metadefs/namespaces": many("namespaces", NAMESPACE),
    "metadefs/object": OBJECT,
    "metadefs/objects": many("objects", OBJECT),
    "metadefs/property": PROPERTY,
    "metadefs/properties": _properties_by_name(),
    "metadefs/resource_type": RESOURCE_TYPE,
    "metadefs/resource_types": many("resource_type_associations", RESOURCE_TYPE),
    "metadefs/tag": TAG,
    "metadefs/tags": many("tags", TAG),
}


def _serve(path: str, schema: Schema) -> Endpoint:
    async def show(room: Room, call: Call) -> Schema:
        return schema

    return Endpoint("GET", f"/schemas/{path}", show, name=f"schema of {path}")


def endpoints() -> list[Endpoint]:
    return [_serve(path, schema) for path, schema in SCHEMAS.items()]
