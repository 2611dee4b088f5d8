"""How a list of images may be asked for: filters, operators, sorting, pages."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from cumulet.core.errors import BadRequest
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Question, parse_limit
from cumulet.core.web.wire import parse_bool
from cumulet.lib.clock import SECOND, parse_iso
from cumulet.services.image.images.fields import VISIBILITIES
from cumulet.services.image.images.row import ImageRow, PropertyRow, TagRow
from cumulet.services.image.images.sight import ADMIN, lists

PAGE = 25
LARGEST_PAGE = 1000
MOST_FILTERS = 50

SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
_NOT_FILTERS = {"limit", "marker", "sort", "sort_key", "sort_dir"}
_TEXTS = {
    **{name: name for name in ("id", "name", "status", "container_format", "disk_format", "owner", "checksum")},
    "os_hash_algo": "hash_algo",
    "os_hash_value": "hash_value",
}
_SEVERAL = {"id", "name", "status", "container_format", "disk_format"}
"""Those that may be asked for as `in:a,b`."""
_NUMBERS = ("size", "min_disk", "min_ram", "virtual_size")
_INSTANTS = ("created_at", "updated_at")
_MEMBER_STATUSES = ("accepted", "pending", "rejected", "all")
_COMPARE: dict[str, Callable[[Any, Any], sa.ColumnElement[bool]]] = {
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "eq": lambda column, value: column == value,
    "neq": lambda column, value: column != value,
}


def read_question(call: Call) -> Question:
    """What a client asks of the list of images. Raises BadRequest."""
    question = Question()
    question.where("not deleted", ImageRow.c.status != "deleted")
    given = [(name, value) for name, value in call.request.query if name not in _NOT_FILTERS]
    if len(given) > MOST_FILTERS:
        raise BadRequest(f"A list takes at most {MOST_FILTERS} filters")
    named = dict(given)
    visibility = _one_of("visibility", named.pop("visibility", ""), (*VISIBILITIES, "all"))
    member_status = _one_of("member_status", named.pop("member_status", "") or "accepted", _MEMBER_STATUSES)
    _narrow_to_visible(question, call, visibility, member_status)
    hidden = _boolean("os_hidden", named.pop("os_hidden", "false"))
    question.where(
        ("hidden", hidden), ImageRow.c.hidden == sa.bindparam("hidden", type_=sa.Boolean), {"hidden": hidden}
    )
    named.pop("tag", None)
    for place, tag in enumerate(value for name, value in given if name == "tag"):
        _has_tag(question, place, tag)
    for place, (name, value) in enumerate(named.items()):
        _filter(question, place, name, value)
    request = call.request
    question.sort = read_sort(request.all("sort"), request.all("sort_key"), request.all("sort_dir"))
    question.limit = parse_limit(request.one("limit") or str(PAGE), LARGEST_PAGE)
    question.marker = request.one("marker") or ""
    return question


def _narrow_to_visible(question: Question, call: Call, visibility: str, member_status: str) -> None:
    project = call.caller.project_id
    sees_all = call.may(ADMIN)
    clause = lists(sees_all=sees_all, has_project=bool(project), visibility=visibility, member_status=member_status)
    if clause is not None:
        shape = ("sees", sees_all, bool(project), visibility, member_status)
        question.where(shape, clause, {"caller_project": project, "member_status": member_status})
    if visibility and visibility != "all":
        question.where(("visibility", visibility), ImageRow.c.visibility == visibility)


def _filter(question: Question, place: int, name: str, value: str) -> None:
    columns = ImageRow.c
    bound = f"filter_{place}"
    if name in _TEXTS:
        column = columns[_TEXTS[name]]
        if name in _SEVERAL and value.startswith("in:"):
            values = split_quoted(value.removeprefix("in:"))
            question.where((place, name, "in"), column.in_(sa.bindparam(bound, expanding=True)), {bound: values})
        else:
            question.where((place, name), column == sa.bindparam(bound, type_=column.type), {bound: value})
    elif name == "protected":
        flag = _boolean(name, value)
        question.where((place, name), columns.protected == sa.bindparam(bound, type_=sa.Boolean), {bound: flag})
    elif name in _NUMBERS:
        question.where(
            (place, name), columns[name] == sa.bindparam(bound, type_=columns[name].type), {bound: _number(name, value)}
        )
    elif name in ("size_min", "size_max"):
        marked = sa.bindparam(bound, type_=sa.BigInteger)
        known = columns.size >= 0
        clause = columns.size >= marked if name == "size_min" else sa.and_(known, columns.size <= marked)
        question.where((place, name), clause, {bound: _number(name, value)})
    elif name in _INSTANTS:
        operator, instant = _comparison(name, value)
        # Instants are shown in whole seconds, and compared so.
        second = columns[name] - columns[name] % SECOND
        compared = _COMPARE[operator](second, sa.bindparam(bound, type_=sa.BigInteger))
        question.where((place, name, operator), compared, {bound: instant})
    else:
        _has_property(question, place, name, value)


def _has_property(question: Question, place: int, name: str, value: str) -> None:
    stored = PropertyRow.c
    having = sa.select(stored.image_id).where(
        stored.name == sa.bindparam(f"property_{place}", type_=sa.String),
        stored.value == sa.bindparam(f"value_{place}", type_=sa.Text),
    )
    question.where((place, "property"), ImageRow.c.id.in_(having), {f"property_{place}": name, f"value_{place}": value})


def _has_tag(question: Question, place: int, tag: str) -> None:
    having = sa.select(TagRow.c.image_id).where(TagRow.c.value == sa.bindparam(f"tag_{place}", type_=sa.String))
    question.where((place, "tag"), ImageRow.c.id.in_(having), {f"tag_{place}": tag})


def read_sort(sort: list[str], keys: list[str], directions: list[str]) -> list[tuple[str, str]]:
    """The columns to sort by, made unique by age and id. Raises BadRequest."""
    if sort and (keys or directions):
        raise BadRequest("Old and new sorting syntax cannot be combined: give sort, or sort_key and sort_dir.")
    if sort:
        pairs = [part.strip().partition(":") for part in ",".join(sort).split(",")]
        chosen = [(key.strip(), direction.strip() or "desc") for key, _, direction in pairs]
    else:
        if len(directions) > 1 and len(directions) != len(keys):
            raise BadRequest("Number of sort dirs does not match the number of sort keys.")
        each = directions if len(directions) == len(keys) else (directions or ["desc"]) * max(len(keys), 1)
        chosen = list(zip(keys or ["created_at"], each, strict=False))
    for key, direction in chosen:
        if key not in SORT_KEYS:
            raise BadRequest(f"Invalid sort key: {key[:60]}. It must be one of the following: {', '.join(SORT_KEYS)}.")
        if direction not in ("asc", "desc"):
            raise BadRequest(f"Invalid sort direction: {direction[:60]}. Use asc or desc.")
    unique: dict[str, str] = {}
    for key, direction in [*chosen, ("created_at", "desc"), ("id", "desc")]:
        unique.setdefault(key, direction)
    return list(unique.items())


def split_quoted(text: str) -> list[str]:
    """`a,"b,c"` as its values. Raises BadRequest."""
    try:
        values = next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise BadRequest(f"Invalid filter value {text[:60]!r}: {error}. Quote values that hold a comma.") from error
    if not values or not all(values):
        raise BadRequest(f"Invalid filter value {text[:60]!r}: give values separated by commas after in:")
    return values


def _comparison(name: str, value: str) -> tuple[str, int]:
    operator, _, rest = value.partition(":")
    if operator not in _COMPARE:
        operator, rest = "eq", value
    try:
        return operator, parse_iso(rest)
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"Invalid value for {name}: {rest[:40]!r} is no time; write it like 2026-01-31T12:00:00Z."
        ) from error


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 18:
        raise BadRequest(f"Cannot convert {name} to an integer: {value[:40]!r}. Give a number of 0 or more.")
    return int(value)


def _boolean(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise BadRequest(f"Invalid value for {name}: {value[:40]!r}. Use true or false.")
    return parse_bool(value)


def _one_of(name: str, value: str, words: tuple[str, ...]) -> str:
    if value and value not in words:
        raise BadRequest(f"Invalid {name} value: {value[:40]!r}. Use one of {', '.join(words)}.")
    return value
