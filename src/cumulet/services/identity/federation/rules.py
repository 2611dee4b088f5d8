"""The rules of a mapping: their shape, which is checked when a mapping is written."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec

T = TypeVar("T")
Value = Annotated[str, msgspec.Meta(max_length=4096, pattern=r"^[^\x00]*\Z")]
Values = Annotated[list[Value], msgspec.Meta(max_length=1000)]
CONDITIONS = ("any_one_of", "not_any_of", "whitelist", "blacklist")
VERSIONS = ("1.0", "2.0")
"""In 2.0 a domain beside the user, the groups or the projects is theirs where they name none."""


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    """An object in which nothing stands that is not understood."""


class DomainWords(_Part):
    """A domain by its id or its name."""

    id: Value = ""
    name: Value = ""


class UserWords(_Part):
    """The user that a person is here: one of this cloud's own (`local`), or the shadow of somebody known elsewhere."""

    id: Value = ""
    name: Value = ""
    email: Value = ""
    type: Literal["ephemeral", "local", ""] = ""
    domain: DomainWords | None = None


class GroupWords(_Part):
    """A group by its id, or by its name in a domain."""

    id: Value = ""
    name: Value = ""
    domain: DomainWords | None = None


class RoleWords(_Part):
    name: Value


class ProjectWords(_Part):
    """A project that is made if need be, and the roles that the person gets in it."""

    name: Value
    roles: Annotated[list[RoleWords], msgspec.Meta(max_length=100)]
    domain: DomainWords | None = None


class Local(_Part):
    """What a person is, and gets, here. `{0}` stands for the values of the first attribute that is carried over."""

    user: UserWords | None = None
    group: GroupWords | None = None
    groups: Value = ""
    group_ids: Value = ""
    projects: Annotated[list[ProjectWords], msgspec.Meta(max_length=100)] = []
    domain: DomainWords | None = None


class Remote(_Part):
    """An attribute that a person must have, and what is asked of its values."""

    type: Value
    any_one_of: Values | None = None
    not_any_of: Values | None = None
    whitelist: Values | None = None
    blacklist: Values | None = None
    regex: bool | None = None


class Rule(_Part):
    """Who has all of `remote` is and gets all of `local`."""

    local: Annotated[list[Local], msgspec.Meta(max_length=100)]
    remote: Annotated[list[Remote], msgspec.Meta(min_length=1, max_length=100)]


Rules = Annotated[list[Rule], msgspec.Meta(min_length=1, max_length=200)]


def rules_of(value: object) -> list[Rule]:
    """Rules from what a client sent. Raises ValueError that names the place."""
    try:
        rules: list[Rule] = msgspec.convert(value, Rules)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at ")
        raise ValueError(f"rules{path.strip('`').removeprefix('$')}: {reason}") from error
    for place, rule in enumerate(rules):
        for number, remote in enumerate(rule.remote):
            _check_remote(remote, f"rules[{place}].remote[{number}]")
        for number, local in enumerate(rule.local):
            if local.group:
                _check_group(local.group, f"rules[{place}].local[{number}].group")
    return rules


def _check_remote(remote: Remote, place: str) -> None:
    given = [name for name in CONDITIONS if getattr(remote, name) is not None]
    if len(given) > 1:
        raise ValueError(f"{place}: {' and '.join(given)} exclude each other; name the attribute twice instead")
    if remote.regex is not None and not given:
        raise ValueError(f"{place}.regex: there is nothing here that could be a regular expression")
    if not remote.regex:
        return
    for pattern in getattr(remote, given[0]):
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{place}.{given[0]}: {pattern[:60]!r} is no regular expression: {error}") from error


def _check_group(group: GroupWords, place: str) -> None:
    if group.id and (group.name or group.domain):
        raise ValueError(f"{place}: an id stands alone; leave name and domain out")
    if not group.id and not (group.name and group.domain):
        raise ValueError(f"{place}: give an id, or a name and its domain")


def read_rules(text: str) -> list[Rule]:
    """The rules in a column."""
    return msgspec.json.decode(text, type=list[Rule])
