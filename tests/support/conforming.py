"""Values that a JSON Schema describes, drawn from a source of chance, and the same values with one place spoilt."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tests.support.hostile import NASTY, SPOILT_TEXTS, UUID

MOST = 3
"""Elements of a list, properties beyond the declared ones."""

TEXTS = {
    "uuid": (UUID, UUID.replace("-", "")),
    "ipv4": ("10.1.2.3", "192.0.2.1", "0.0.0.0"),
    "ipv6": ("2001:db8::5", "fe80::1", "::"),
    "date-time": ("2030-01-01T00:00:00Z", "2026-11-23T10:11:12.345678", "1970-01-01T00:00:00+00:00"),
    "uri": ("http://localhost:1/x", "https://cloud.test/a?b=c#d"),
    "email": ("ada@cloud.test",),
    "hostname": ("cloud.test", "a.", "xn--bcher-kva"),
    "regex": ("a,b", "^x$"),
    "mac-address": ("fa:16:3e:00:00:01",),
    "cidr": ("10.1.2.0/24", "2001:db8::/64"),
    "base64": ("aGVsbG8=", "!"),
}
WORDS = (
    "name", "a", "1", "x y", "10.1.2.0/24", "10.1.2.3", "fa:16:3e:00:00:01", "ingress", "tcp", "nova", "CUSTOM_A",
    "true", "0", "-1", "2030-01-01T00:00:00Z", "http://localhost/x", "ssh-rsa AAAA", "/dev/vdb", "a=b", "é☃", "é",
    "raw", "bare", "password", UUID, UUID.replace("-", ""), "x" * 255, "GET", "/v2.1/servers", "m1.tiny", "cores", "",
)  # fmt: skip
NUMBERS = (0, 0, 0, 1, 1, 1, 2, 3, 4, 8, 80, 1500, 65535, 2**31 - 1)

Step = str | int


class Maker:
    """Makes values; `known` gives the ids that stand for a name such as `network_id`."""

    def __init__(self, choice: random.Random, known: Callable[[str], Sequence[str]]) -> None:
        self.choice = choice
        self._known = known
        self._often = choice.choice((0.0, 0.1, 0.4))
        """How often a property is there that need not be."""

    def value(self, schema: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
        """Something that fits, as far as a schema says what does."""
        pick = self.choice.choice
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return pick(schema["enum"])
        for key in ("oneOf", "anyOf"):
            if schema.get(key):
                rest = {inner: value for inner, value in schema.items() if inner != key}
                return self.value({**rest, **pick(schema[key])}, name, depth)
        if schema.get("allOf"):
            merged = dict(schema)
            for part in merged.pop("allOf"):
                merged.update(part)
            return self.value(merged, name, depth)
        kinds = schema.get("type", "object" if "properties" in schema or "patternProperties" in schema else None)
        kind = pick(kinds) if isinstance(kinds, list) else kinds
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "string":
                return self.text(schema, name)
            case "integer" | "number":
                return self._number(schema)
            case "boolean":
                return pick((True, False))
            case "null":
                return None
        return pick((None, {}, [], "a", 1))

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        declared, needed = schema.get("properties", {}), schema.get("required", ())
        found = {
            name: self.value(inner, name, depth + 1)
            for name, inner in declared.items()
            if name in needed or (not inner.get("readOnly") and (depth == 0 or self._luck(depth)))
        }
        for pattern, inner in schema.get("patternProperties", {}).items():
            for _ in range(self.choice.randint(0, MOST) if depth < 6 else 0):
                found[self._fitting(pattern)] = self.value(inner, "", depth + 1)
        beyond = schema.get("additionalProperties", False)
        if beyond and not declared and depth < 6:
            for key in self.choice.sample(("a", "name", "tag", UUID), self.choice.randint(0, 2)):
                found[key] = self.value(beyond if isinstance(beyond, dict) else {"type": "string"}, key, depth + 1)
        return found

    def _luck(self, depth: int) -> bool:
        return depth < 6 and self.choice.random() < self._often

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        least = min(schema.get("minItems", 0), MOST)
        most = min(schema.get("maxItems", MOST), MOST)
        if "prefixItems" in schema:
            return [self.value(inner, name, depth + 1) for inner in schema["prefixItems"]]
        inner = schema.get("items", {"type": "string"})
        return [self.value(inner, name, depth + 1) for _ in range(self.choice.randint(least, max(least, most)))]

    def _number(self, schema: Mapping[str, Any]) -> int:
        least = int(schema.get("minimum", schema.get("exclusiveMinimum", -2)))
        most = int(schema.get("maximum", 2**40))
        fitting = [n for n in NUMBERS if least <= n <= most]
        return (
            self.choice.choice(fitting) if fitting and self.choice.random() < 0.8 else self.choice.choice((least, most))
        )

    def text(self, schema: Mapping[str, Any], name: str = "") -> str:
        """A text; names that look like references get ids of what exists."""
        known = self._known(name)
        if known and self.choice.random() < 0.8:
            return self.choice.choice(known)
        if schema.get("format") in TEXTS:
            return self.choice.choice(TEXTS[schema["format"]])
        least, most, pattern = schema.get("minLength", 0), schema.get("maxLength", 255), schema.get("pattern", "")
        return self._fitting(pattern, least, most)

    def _fitting(self, pattern: str, least: int = 0, most: int = 255) -> str:
        """A word that matches, or any."""
        words = [word for word in WORDS if least <= len(word) <= most and (not pattern or _matches(pattern, word))]
        return self.choice.choice(words or WORDS)

    def spoilt(self, value: Any) -> bytes:
        """The JSON of a value in which one place is not what it should be."""
        place = self.choice.choice(places(value))
        return msgspec.json.encode(self._replaced(value, place))

    def _replaced(self, value: Any, place: tuple[Step, ...]) -> Any:
        if place:
            if isinstance(value, dict):
                if len(place) == 1 and self.choice.random() < 0.15:
                    return self._twisted(value, place[0])
                return {k: self._replaced(v, place[1:]) if k == place[0] else v for k, v in value.items()}
            return [self._replaced(v, place[1:]) if n == place[0] else v for n, v in enumerate(value)]
        if self.choice.random() < 0.2:
            return msgspec.Raw(self.choice.choice(SPOILT_TEXTS))
        if isinstance(value, str) and self.choice.random() < 0.4:
            return self.choice.choice(
                (value + "\x00", value * 300, value.upper(), f" {value}", value[:-1], value + "\u200b", [value])
            )
        return self.choice.choice(NASTY)

    def _twisted(self, value: dict[str, Any], key: Step) -> Any:
        """An object with a key too few, too many, or twice."""
        rest = {name: inner for name, inner in value.items() if name != key}
        twice = b'{%s:%s,%s:%s}' % (
            msgspec.json.encode(str(key)), msgspec.json.encode(value[key]),
            msgspec.json.encode(str(key)), msgspec.json.encode(self.choice.choice(NASTY)),
        )  # fmt: skip
        return self.choice.choice((rest, {**value, "unheard_of": 1}, {**value, "id": "x"}, msgspec.Raw(twice), [value]))


def places(value: Any, here: tuple[Step, ...] = ()) -> list[tuple[Step, ...]]:
    """The way to each place in a value, its root first."""
    found = [here]
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in inner:
        found += places(part, (*here, step))
    return found


def _matches(pattern: str, word: str) -> bool:
    try:
        return re.search(pattern, word) is not None
    except re.error:
        return True  # a pattern in another dialect says nothing here
