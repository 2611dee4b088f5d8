"""Changes to an image as JSON patches, in the two dialects that clients speak. Pure.

The older one names the operation by its key, `{"replace": "/name", "value": …}`, and refuses to add what is there; the
newer one is RFC 6902 without `test`, `copy` and `move`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cumulet.core.errors import BadRequest, UnsupportedMediaType
from cumulet.core.web.body import UNREADABLE
from cumulet.services.image.errors import InvalidImage, PropertyConflict, ReadOnly
from cumulet.services.image.images import locations
from cumulet.services.image.images.fields import TYPES, checked, refuse_reserved, with_field, with_properties
from cumulet.services.image.images.locations import Surroundings
from cumulet.services.image.images.row import ImageRow

OLD = "application/openstack-images-v2.0-json-patch"
NEW = "application/openstack-images-v2.1-json-patch"
MOST_CHANGES = 1000
LOCATIONS = "locations"

_OPERATIONS = ("add", "remove", "replace")
_BAD_TILDE = re.compile(r"~([^01]|\Z)")


class Change(msgspec.Struct, frozen=True):
    """One operation of a patch."""

    operation: str
    name: str
    value: Any = None
    must_be_new: bool = False
    """Adding what is there is refused."""
    position: str = ""
    """Which of the locations; empty: the whole list, or another attribute."""


def read_patch(raw: bytes, media: str) -> list[Change]:
    """The changes in a patch. Raises BadRequest, UnsupportedMediaType."""
    if media not in (OLD, NEW):
        raise UnsupportedMediaType(f"Unsupported media type {media[:80] or 'none'}; send a patch as {NEW}.")
    try:
        changes = msgspec.json.decode(raw)
    except UNREADABLE as error:
        raise BadRequest(f"The request body is not valid JSON: {error}. Check its syntax.") from error
    if not isinstance(changes, list) or len(changes) > MOST_CHANGES:
        raise BadRequest(f"Request body must be a JSON array of at most {MOST_CHANGES} operation objects.")
    return [_change(change, media) for change in changes]


def _change(change: Any, media: str) -> Change:
    if not isinstance(change, dict):
        raise BadRequest("Operations must be JSON objects.")
    if media == OLD:
        found = [word for word in _OPERATIONS if word in change]
        if len(found) != 1:
            raise BadRequest("Operation objects must contain exactly one member named 'add', 'remove' or 'replace'.")
        operation, path = found[0], change[found[0]]
    else:
        operation, path = str(change.get("op")), change.get("path")
        if operation not in _OPERATIONS:
            raise BadRequest(f"Invalid operation: {operation[:40]!r}. It must be one of {', '.join(_OPERATIONS)}.")
    if operation != "remove" and "value" not in change:
        raise BadRequest(f'Operation "{operation}" requires a member named "value".')
    name, position = _name(path)
    return Change(operation, name, change.get("value"), media == OLD, position)


def _name(path: Any) -> tuple[str, str]:
    """The attribute that a pointer names, and for locations which of them."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise BadRequest(f'Pointer `{str(path)[:60]}` does not start with "/".')
    if path.endswith("/") or "//" in path:
        raise BadRequest(f"Pointer `{path[:60]}` contains an empty part.")
    if _BAD_TILDE.search(path):
        raise BadRequest(f'Pointer `{path[:60]}` contains "~" not part of a recognized escape sequence.')
    parts = path[1:].split("/")
    if parts[0] == "locations" and len(parts) == 2:
        return parts[0], parts[1]
    if len(parts) > 1:
        raise BadRequest(f"Invalid JSON pointer for this resource: '{path[:60]}', it must name one attribute.")
    return parts[0].replace("~1", "/").replace("~0", "~"), ""


def given_locations(changes: list[Change]) -> list[Any]:
    """All locations that a patch brings along."""
    found: list[Any] = []
    for change in changes:
        if change.name == LOCATIONS and change.operation != "remove":
            found += change.value if isinstance(change.value, list) else [change.value]
    return found


def apply(row: ImageRow, changes: list[Change], around: Surroundings) -> ImageRow:
    """The row after all changes. Raises InvalidImage, ReadOnly, PropertyConflict, LimitExceeded, WrongStatus."""
    properties = row.properties_dict
    for change in changes:
        name = change.name
        if name == LOCATIONS:
            row = _change_locations(row, change, around)
            continue
        refuse_reserved(name)
        if name in TYPES:
            row = _change_field(row, change)
        elif change.operation == "add":
            if change.must_be_new and name in properties:
                raise PropertyConflict(f"Property {name[:255]} already present.")
            properties[name] = change.value
        elif name not in properties:
            raise PropertyConflict(f"Property {name[:255]} does not exist.")
        elif change.operation == "replace":
            properties[name] = change.value
        else:
            del properties[name]
    return with_properties(row, properties)


def _change_locations(row: ImageRow, change: Change, around: Surroundings) -> ImageRow:
    if change.operation == "remove":
        return locations.remove(row, change.position, around)
    if change.operation == "add" and change.position:
        return locations.add(row, change.position, change.value, around)
    if change.position:
        raise InvalidImage("A location is not replaced alone: replace the list, or add and remove.")
    return locations.replace_all(row, change.value, around)


def _change_field(row: ImageRow, change: Change) -> ImageRow:
    name = change.name
    if change.operation == "remove":
        raise ReadOnly(f"Property {name} may not be removed.")
    if change.operation == "add" and change.must_be_new:
        raise PropertyConflict(f"Property {name} already present.")
    if name in ("disk_format", "container_format") and row.status not in ("queued", "importing"):
        raise ReadOnly(f"Attribute {name} can be only replaced for a queued image.")
    return with_field(row, name, checked(name, change.value))
