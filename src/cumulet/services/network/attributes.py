"""From the attributes of a body to a wish, in the words by which this service refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cumulet.core.web.body import NEVER, REQUIRED, UNREADABLE, Field, Given
from cumulet.services.network.errors import HTTPBadRequest

MOST_AT_ONCE = 1000
"""Things in one bulk request."""


class Attributes:
    """What may be sent of a noun."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.known = {field.name for field in fields}
        self.creatable = {field.name: field for field in fields if field.create is not NEVER}
        self.updatable = {field.name: field for field in fields if field.update is not NEVER}
        self._required = [name for name, field in self.creatable.items() if field.create is REQUIRED]
        self._defaults = {
            name: field.create for name, field in self.creatable.items() if not isinstance(field.create, Given)
        }

    def for_create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The wish for a new thing, defaults included. Raises HTTPBadRequest."""
        self._refuse_unknown(given)
        for name in given:
            if name not in self.creatable:
                raise HTTPBadRequest(f"Attribute '{name}' not allowed in POST")
        wish = {**self._defaults, **{name: clean(self.creatable[name], value) for name, value in given.items()}}
        for name in self._required:
            if name not in wish:
                raise HTTPBadRequest(f"Failed to parse request. Required attribute '{name}' not specified")
        return wish

    def for_update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes to change. Raises HTTPBadRequest."""
        self._refuse_unknown(given)
        for name in given:
            if name not in self.updatable:
                raise HTTPBadRequest(f"Cannot update read-only attribute {name}")
        return {name: clean(self.updatable[name], value) for name, value in given.items()}

    def _refuse_unknown(self, given: Mapping[str, Any]) -> None:
        unknown = [name for name in given if name not in self.known]
        if unknown:
            raise HTTPBadRequest(f"Unrecognized attribute(s) '{', '.join(sorted(unknown))[:255]}'")


def clean(field: Field, value: Any) -> Any:
    """One attribute's value as operations want it."""
    try:
        return field.type.clean(msgspec.convert(value, field.type.type_at(0)), 0)
    except (msgspec.ValidationError, ValueError) as error:
        raise HTTPBadRequest(f"Invalid input for {field.name}. Reason: {error}.") from error


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises HTTPBadRequest."""
    try:
        body = msgspec.json.decode(raw)
    except UNREADABLE as error:
        raise HTTPBadRequest(f"The request body is not valid JSON: {error}. Check its syntax.") from error
    if not isinstance(body, dict):
        raise HTTPBadRequest("The request body must be a JSON object.")
    return body


def read_one(raw: bytes, one: str) -> dict[str, Any]:
    """The attributes under a noun's name."""
    body = read_object(raw)
    inner = body.get(one)
    if len(body) != 1 or not isinstance(inner, dict):
        raise HTTPBadRequest(f"Unable to find '{one}' in request body, alone and as an object.")
    return normal(inner)


def read_some(raw: bytes, one: str, many: str) -> tuple[list[dict[str, Any]], bool]:
    """The things to create, and whether they came as many."""
    body = read_object(raw)
    if many not in body or one == many:
        return [read_one(raw, one)], False
    items = body[many]
    if len(body) != 1 or not isinstance(items, list) or not items or len(items) > MOST_AT_ONCE:
        raise HTTPBadRequest(f"'{many}' must be alone, a list of 1 to {MOST_AT_ONCE} objects.")
    if not all(isinstance(item, dict) for item in items):
        raise HTTPBadRequest(f"'{many}' must hold objects only.")
    # Some clients name the noun once more in each.
    inner = [item[one] if set(item) == {one} and isinstance(item[one], dict) else item for item in items]
    return [normal(item) for item in inner], True


def normal(given: dict[str, Any]) -> dict[str, Any]:
    """With `tenant_id` under its newer name."""
    if "tenant_id" not in given:
        return given
    project = given.get("project_id", given["tenant_id"])
    if project != given["tenant_id"]:
        raise HTTPBadRequest("'project_id' and 'tenant_id' do not match")
    return {**{name: value for name, value in given.items() if name != "tenant_id"}, "project_id": project}
