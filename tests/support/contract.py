"""The real services' APIs as their OpenAPI descriptions tell them: operations, and schemas at a microversion.

The descriptions lie beside the checkout, in `shared/contracts/openapi` of it or of a folder above; CUMULET_CONTRACTS
names another place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from cumulet.core.web.versions import version as number_of

Schema = Mapping[str, Any]

FILES = {
    "identity": "identity-v*.yaml",
    "placement": "placement-v*.yaml",
    "image": "image-v*.yaml",
    "network": "network-v*.yaml",
    "block_storage": "block-storage-v*.yaml",
    "compute": "compute-v*.yaml",
}
DEEPEST = 24
"""How far into a schema that contains itself is looked."""
TELL_OF_NULL = {"compute"}
"""The others' descriptions leave out where null may stand."""
METHODS = ("get", "head", "post", "put", "patch", "delete")


def place() -> Path | None:
    """The folder of the descriptions; None: this machine has none."""
    given = os.environ.get("CUMULET_CONTRACTS")
    root = Path(__file__).parents[2]
    candidates = [Path(given)] if given else [folder / "shared/contracts/openapi" for folder in root.parents]
    return next((folder for folder in candidates if folder.is_dir()), None)


def plain(path: str) -> str:
    """A path without the names of its parts."""
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


def lives(schema: Schema, version: int) -> bool:
    """Does its own window include this version? Without microversions everything lives."""
    window = schema.get("x-openstack") or {}
    low, high = window.get("min-ver"), window.get("max-ver")
    if not version:
        return True
    return (not low or number_of(str(low)) <= version) and (not high or version <= number_of(str(high)))


@dataclass(frozen=True)
class Parameter:
    name: str
    schema: Schema
    required: bool


@dataclass(frozen=True)
class Operation:
    """One method on one path, or one action of it."""

    contract: Contract
    method: str
    path: str
    text: Mapping[str, Any]

    def lives_at(self, version: int) -> bool:
        return lives(self.text, version)

    def queries(self, version: int) -> list[Parameter]:
        """The query parameters at a version."""
        found = (self.contract.followed(one) for one in self.text.get("parameters", ()))
        return [
            Parameter(one["name"], self.contract.at(one.get("schema", {}), version), one.get("required", False))
            for one in found
            if one["in"] == "query" and lives(one, version)
        ]

    def bodies(self, version: int) -> list[Schema]:
        """What may be sent: one schema, or one for each action."""
        return self._read(self.text.get("requestBody", {}), version)

    def answers(self, version: int) -> list[Schema]:
        """What may be answered with success. Which status goes with which is not to be had from here."""
        return [
            schema
            for status, response in self.text.get("responses", {}).items()
            if str(status).startswith("2")
            for schema in self._read(response, version)
        ]

    def differences(self, version: int, answer: Any) -> list[str]:
        """How an answer differs from all that may be answered, each as its place and what is wrong there."""
        found = [self._differences(schema, answer) for schema in self.answers(version)]
        return list(dict.fromkeys(min(found, key=len))) if found else []

    def _differences(self, schema: Schema, answer: Any) -> list[str]:
        found: list[str] = []
        for error in self.contract.checker(schema).iter_errors(answer):
            if error.instance is None and self.contract.room not in TELL_OF_NULL:
                continue
            found += [f"{_place(error)} {word}".strip() for word in _words(error)]
        return found

    def _read(self, holder: Mapping[str, Any], version: int) -> list[Schema]:
        content = holder.get("content", {}).get("application/json", {})
        return list(self.contract.choices(content["schema"], version)) if "schema" in content else []


class Contract:
    """One service's description."""

    def __init__(self, room: str, folder: Path) -> None:
        (file,) = folder.glob(FILES[room])
        self.room = room
        self.text: dict[str, Any] = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
        self._at: dict[tuple[int, int], Any] = {}
        self._checkers: dict[int, jsonschema.Draft202012Validator] = {}

    @cached_property
    def operations(self) -> dict[tuple[str, str], Operation]:
        """By method and plain path."""
        found = {}
        for path, methods in self.text["paths"].items():
            beside = methods.get("parameters", [])
            for method in METHODS:
                if method in methods:
                    text = {**methods[method], "parameters": [*beside, *methods[method].get("parameters", [])]}
                    found[method.upper(), plain(path)] = Operation(self, method.upper(), path, text)
        return found

    def followed(self, schema: Any) -> Any:
        """What a reference leads to."""
        while "$ref" in schema:
            place: Any = self.text
            for part in schema["$ref"].removeprefix("#/").split("/"):
                place = place[part]
            schema = place
        return schema

    def checker(self, schema: Schema) -> jsonschema.Draft202012Validator:
        """A checker for one of this contract's schemas; `at` keeps each of them for good."""
        key = id(schema)
        if key not in self._checkers:
            self._checkers[key] = jsonschema.Draft202012Validator(schema)
        return self._checkers[key]

    def choices(self, schema: Any, version: int) -> Iterator[Schema]:
        """The schemas that a body may have at a version, each as plain JSON Schema."""
        schema = self.followed(schema)
        if not lives(schema, version):
            return
        kind = (schema.get("x-openstack") or {}).get("discriminator")
        if kind or ("oneOf" in schema and all("$ref" in one for one in schema["oneOf"])):
            for one in schema["oneOf"]:
                yield from self.choices(one, version)
        else:
            yield self.at(schema, version)

    def at(self, schema: Any, version: int) -> Schema:
        """A schema without what does not live at a version."""
        key = (id(schema), version)
        if key not in self._at:
            self._at[key] = self._at_depth(schema, version, 0)
        found: Schema = self._at[key]
        return found

    def _at_depth(self, schema: Any, version: int, depth: int) -> Any:
        schema = self.followed(schema) if isinstance(schema, dict) else schema
        if not isinstance(schema, dict) or depth > DEEPEST:
            return {}
        found = {key: value for key, value in schema.items() if key in KEPT}
        for key in ("oneOf", "anyOf", "allOf", "prefixItems"):
            alive = [one for one in schema.get(key, ()) if lives(self.followed(one), version)]
            if alive:
                # Many a choice differs by formats alone, which are not looked at: then several arms fit, not one.
                found[key.replace("one", "any")] = [self._at_depth(one, version, depth + 1) for one in alive]
        for key in ("properties", "patternProperties"):
            if key in schema:
                found[key] = {
                    name: self._at_depth(inner, version, depth + 1)
                    for name, inner in schema[key].items()
                    if lives(self.followed(inner), version)
                }
        for key in ("items", "additionalProperties", "not"):
            if isinstance(schema.get(key), dict):
                found[key] = self._at_depth(schema[key], version, depth + 1)
            elif isinstance(schema.get(key), bool):
                found[key] = schema[key]
        if "required" in schema:
            alive = schema.get("properties", {})
            found["required"] = [
                name for name in schema["required"] if name not in alive or name in found["properties"]
            ]
        return found


KEPT = frozenset(
    {
        "type",
        "enum",
        "const",
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "readOnly",
    }
)
"""What is taken over from a schema as it is."""


def _place(error: jsonschema.ValidationError) -> str:
    """Where in an answer: names that are declared, and `*` for the others and for places in lists."""
    found: list[str] = []
    path = iter(list(error.absolute_schema_path)[:-1])
    for step in path:
        match step:
            case "properties":
                found.append(str(next(path)))
            case "patternProperties" | "prefixItems":
                found.append("*")
                next(path)
            case "items" | "additionalProperties":
                found.append("*")
            case "anyOf" | "allOf":
                next(path)
    return "/".join(found)


def _words(error: jsonschema.ValidationError) -> list[str]:
    """What is wrong, in a word; for fields that are missing or too many their names."""
    match error.validator:
        case "required":
            return [f"-{name}" for name in error.validator_value if name not in error.instance]
        case "additionalProperties":
            if error.schema.get("patternProperties"):
                return ["+*"]
            return [f"+{name}" for name in error.instance if name not in error.schema.get("properties", {})]
    return [str(error.validator)]
