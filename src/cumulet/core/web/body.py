"""Fields and the bodies made of them: one declaration, compiled for each microversion when it is first used."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cumulet.core.errors import BadRequest
from cumulet.core.web.versions import window
from cumulet.core.web.wire import Wire

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""How reading JSON fails: it is none, it is of another type, it is too deep."""


class Given(enum.Enum):
    """When a client may send a field."""

    NEVER = "never"
    OPTIONAL = "optional"
    REQUIRED = "required"


NEVER, OPTIONAL, REQUIRED = Given.NEVER, Given.OPTIONAL, Given.REQUIRED

Source = str | Callable[[Any, Any], Any] | None
HIDDEN = ""
"""Source of a field that is taken but never shown."""


@dataclass(frozen=True)
class Field:
    """One field of a noun: what it is, when it may be sent, where it is shown, and since when.

    `create` and `update` say whether it may be sent: NEVER, OPTIONAL, REQUIRED, or a default value. `source` says where
    its shown value comes from: a column (the field's own name when None), a function of (row, showing), or HIDDEN.
    """

    name: str
    type: Wire
    create: Any = NEVER
    update: Any = NEVER
    source: Source = None
    since: str = ""
    until: str = ""
    rule: str = ""
    """The rule of those who may see it; empty: everybody who sees the noun."""
    brief: bool = False
    """Shown in brief lists too, and in what refers to the noun."""

    def lives_at(self, version: int) -> bool:
        return version in window(self.since, self.until)


class Compiled:
    """The decoder of one shape at one version."""

    def __init__(self, fields: Sequence[tuple[Field, Any]], version: int, extra: bool) -> None:
        self.fields = fields
        self.version = version
        places = [f"f{place}" for place in range(len(fields))]
        spec: list[Any] = []
        for place, (field, given) in zip(places, fields, strict=True):
            kind = field.type.type_at(version)
            spec.append((place, kind) if given is REQUIRED else (place, kind | msgspec.UnsetType, msgspec.UNSET))
        self.struct = msgspec.defstruct(
            "Body",
            spec,
            rename={place: field.name for place, (field, _) in zip(places, fields, strict=True)},
            forbid_unknown_fields=not extra,
            kw_only=True,
        )
        self.places = places

    def clean(self, body: Any) -> dict[str, Any]:
        """The given fields, and the defaults of those that have one."""
        found: dict[str, Any] = {}
        for place, (field, given) in zip(self.places, self.fields, strict=True):
            value = getattr(body, place)
            if value is msgspec.UNSET:
                if not isinstance(given, Given):
                    found[field.name] = given
                continue
            try:
                found[field.name] = field.type.clean(value, self.version)
            except ValueError as error:
                raise InvalidField(field.name, str(error)) from error
        return found


class InvalidField(ValueError):
    """The second look at a field refused it; nested fields name their whole path."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")


class Shape:
    """Fields as an object on the wire, at any version."""

    def __init__(self, fields: Sequence[Field], *, verb: str = "create", extra: bool = False) -> None:
        self.fields = tuple(fields)
        self.verb = verb
        self.extra = extra
        self._compiled: dict[int, Compiled] = {}

    def at(self, version: int) -> Compiled:
        compiled = self._compiled.get(version)
        if compiled is None:
            chosen = [
                (field, getattr(field, self.verb))
                for field in self.fields
                if getattr(field, self.verb) is not NEVER and field.lives_at(version)
            ]
            compiled = self._compiled[version] = Compiled(chosen, version, self.extra)
        return compiled


class Body:
    """A request body: fields under one key (`{"server": {…}}`), or at the top when `one` is empty.

    `beside` are fields that stand next to that key. With `extra`, unknown fields are kept in the wish under "extra".
    """

    def __init__(
        self,
        one: str,
        fields: Sequence[Field],
        *,
        beside: Sequence[Field] = (),
        verb: str = "create",
        extra: bool = False,
        optional: bool = False,
        kind: Wire | None = None,
    ) -> None:
        self.one = one
        self.shape = Shape(fields, verb=verb, extra=extra)
        self.beside = Shape(beside, verb="create")
        self.extra = extra
        self.optional = optional
        """The body may be missing altogether."""
        self.kind = kind
        """Instead of fields: the type of what stands under `one` (a list, a text, null)."""
        self._decoders: dict[int, tuple[msgspec.json.Decoder[Any], Any]] = {}

    def read(self, raw: bytes, version: int) -> dict[str, Any]:
        """The wish in a body. Raises BadRequest with the field's name."""
        if not raw and self.optional:
            return {}
        decoder, _ = self._decoders.get(version) or self._compile(version)
        try:
            body = decoder.decode(raw)
            if self.kind is not None:
                wish = {self.one: self.kind.clean(body.one, version)}
            else:
                wish = self.shape.at(version).clean(body.one if self.one else body)
            if self.beside.fields:
                wish |= self.beside.at(version).clean(body)
            if self.extra:
                wish["extra"] = self._extras(raw, version)
        except msgspec.ValidationError as error:
            raise BadRequest(f"Invalid input for field/attribute {_where(str(error))}") from error
        except InvalidField as error:
            raise BadRequest(f"Invalid input for field/attribute {error}") from error
        except UNREADABLE as error:
            raise BadRequest(f"The request body is not valid JSON: {error}. Check its syntax.") from error
        except ValueError as error:
            raise BadRequest(f"Invalid input for field/attribute {self.one}: {error}") from error
        return wish

    def _compile(self, version: int) -> tuple[msgspec.json.Decoder[Any], Any]:
        if self.one:
            beside = self.beside.at(version)
            inner = self.kind.type_at(version) if self.kind else self.shape.at(version).struct
            outer = msgspec.defstruct(
                "Envelope",
                [("one", inner)],
                bases=(beside.struct,),
                rename={"one": self.one, **{p: f.name for p, (f, _) in zip(beside.places, beside.fields, strict=True)}},
                forbid_unknown_fields=not self.extra,
                kw_only=True,
            )
        else:
            outer = self.shape.at(version).struct
        self._decoders[version] = (msgspec.json.Decoder(outer), outer)
        return self._decoders[version]

    def _extras(self, raw: bytes, version: int) -> dict[str, Any]:
        body = msgspec.json.decode(raw)
        known = {field.name for field, _ in self.shape.at(version).fields}
        inner = body[self.one] if self.one else body
        return {name: value for name, value in inner.items() if name not in known}


def _where(text: str) -> str:
    """`Expected `str`, got `int` - at `$.server.name`` as a sentence that begins with the field."""
    reason, separator, path = text.partition(" - at ")
    return f"{path.strip('`').removeprefix('$.')}: {reason}" if separator else text
