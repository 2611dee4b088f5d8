"""The mapping engine: from the attributes of a person and the rules of a mapping to what he is and gets here.

Pure: whether the groups, domains and roles it names exist is found out by whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product

import msgspec

from cumulet.services.identity.federation.rules import (
    DomainWords,
    GroupWords,
    Local,
    ProjectWords,
    Remote,
    RoleWords,
    Rule,
    UserWords,
)

Attributes = Mapping[str, Sequence[str]]
BETWEEN = ";"
"""Stands between the values of an attribute that has several."""
REMOTE_USER = "REMOTE_USER"
LOCAL, EPHEMERAL = "local", "ephemeral"
MOST = 10_000
"""Values that one template may become."""
_PLACE = re.compile(r"\{(\d{1,6})\}")
_HALVES = re.compile(r"[\ud800-\udfff]")
_JSON = "JSON:"
"""Begins a group that another cloud wrote with its domain."""


class Unmapped(Exception):
    """No user comes of these attributes; the text says why, for our log: a stranger is told nothing."""


@dataclass(frozen=True)
class Person:
    """Who somebody is here. An ephemeral one has both an id, which is unique at his provider, and a name."""

    type: str
    id: str
    name: str
    email: str
    domain: DomainWords


@dataclass(frozen=True)
class Mapped:
    """What comes of the attributes of a person."""

    person: Person
    group_ids: tuple[str, ...] = ()
    groups: tuple[GroupWords, ...] = ()
    """By name, each with its domain."""
    projects: tuple[ProjectWords, ...] = ()
    """Each with its domain."""


def values_of(given: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of attributes as others write them: several in one text."""
    return {name: text.split(BETWEEN) for name, text in given}


def mapped(rules: Sequence[Rule], attributes: Attributes, version: str, home: str) -> Mapped:
    """What all rules together make of a person; `home` is the id of his provider's domain. Raises Unmapped."""
    user, user_domain = None, None
    found = Mapped(Person(EPHEMERAL, "", "", "", DomainWords()))
    matched = False
    for name, values in attributes.items():
        if not all(_is_sound(text) for text in (name, *values)):
            raise Unmapped(f"the attribute {name!r:.80} holds what no name may hold")
    for rule in rules:
        carried = carry(rule.remote, attributes)
        if carried is None:
            continue
        matched = True
        beside = next((local.domain for local in rule.local if local.domain), None)
        for local in rule.local:
            domain = _domain(local.domain or beside, carried) or DomainWords(id=home)
            if user is None and local.user is not None:
                user = _user(local.user, carried)
                user_domain = user.domain or (domain if version != "1.0" else None)
            found = _with(found, local, carried, domain, home if version == "1.0" else "")
    if not matched:
        raise Unmapped("no rule matches its attributes")
    person = _person(user or UserWords(), user_domain or DomainWords(id=home), attributes)
    if person.type == LOCAL:
        return Mapped(person)  # a user of this cloud has the groups that he has here
    return replace(found, person=person)


def _is_sound(text: str) -> bool:
    """Can it be kept? A NUL and half a character cannot, and what others send may hold either."""
    return "\0" not in text and not _HALVES.search(text)


def carry(remote: Sequence[Remote], attributes: Attributes) -> list[list[str]] | None:
    """The values that templates may use, for each attribute that is carried over; None: the rule is not met."""
    carried: list[list[str]] = []
    for wanted in remote:
        values = list(attributes.get(wanted.type, ()))
        if not values:
            return None
        if wanted.any_one_of is not None:
            if not any(_is_one(value, wanted.any_one_of, wanted.regex) for value in values):
                return None
        elif wanted.not_any_of is not None:
            if any(_is_one(value, wanted.not_any_of, wanted.regex) for value in values):
                return None
        elif wanted.whitelist is not None:
            carried.append([value for value in values if _is_one(value, wanted.whitelist, wanted.regex)])
        elif wanted.blacklist is not None:
            carried.append([value for value in values if not _is_one(value, wanted.blacklist, wanted.regex)])
        else:
            carried.append(values)
    return carried


def _is_one(value: str, wanted: Sequence[str], regex: bool | None) -> bool:
    return any(re.search(pattern, value) for pattern in wanted) if regex else value in wanted


def fill(template: str, carried: Sequence[Sequence[str]]) -> list[str]:
    """The texts that come of a template: one for each value of what it names. Raises Unmapped for an empty place."""
    parts = _PLACE.split(template)
    if len(parts) == 1:
        return [template]
    numbers = sorted({int(number) for number in parts[1::2]})
    if numbers[-1] >= len(carried):
        raise Unmapped(f"the template {template[:60]!r} names more attributes than are carried over")
    count = 1
    for number in numbers:
        count *= len(carried[number])
    if count > MOST:
        raise Unmapped(f"the template {template[:60]!r} becomes too many texts")
    texts: list[str] = []
    for values in product(*(carried[number] for number in numbers)):
        chosen = dict(zip(numbers, values, strict=True))
        filled = [chosen[int(part)] if place % 2 else part for place, part in enumerate(parts)]
        texts.append("".join(filled))
    return texts


def _one(template: str, carried: Sequence[Sequence[str]]) -> str:
    """A text that cannot be several: what has several values is written as it came."""
    return fill(template, [[BETWEEN.join(values)] for values in carried])[0] if template else ""


def _domain(words: DomainWords | None, carried: Sequence[Sequence[str]]) -> DomainWords | None:
    return DomainWords(_one(words.id, carried), _one(words.name, carried)) if words else None


def _user(words: UserWords, carried: Sequence[Sequence[str]]) -> UserWords:
    id_, name, email = (_one(text, carried).strip() for text in (words.id, words.name, words.email))
    return UserWords(id_, name, email, words.type, _domain(words.domain, carried))


def _with(found: Mapped, local: Local, carried: list[list[str]], domain: DomainWords, home: str) -> Mapped:
    """What was found so far, and what one more part of a rule adds. `home`: the domain of projects that name none."""
    group_ids, groups = list(found.group_ids), list(found.groups)
    if local.group and local.group.id:
        group_ids += fill(local.group.id, carried)
    elif local.group:
        own = _domain(local.group.domain, carried) or domain
        groups += [GroupWords(name=name, domain=own) for name in fill(local.group.name, carried)]
    if local.group_ids:
        group_ids += _each(local.group_ids, carried)
    if local.groups:
        groups += [_group(text, domain) for text in _each(local.groups, carried)]
    projects = [_project(project, carried, DomainWords(id=home) if home else domain) for project in local.projects]
    return replace(
        found,
        group_ids=tuple(dict.fromkeys(group_ids)),
        groups=tuple(_unique(groups)),
        projects=(*found.projects, *projects),
    )


def _each(template: str, carried: Sequence[Sequence[str]]) -> list[str]:
    """The texts of a template that stands for several. What is filled in is never parted: people choose their names."""
    texts = chain.from_iterable(fill(part, carried) for part in template.split(BETWEEN))
    return [text.strip() for text in texts if text.strip()]


def _group(text: str, domain: DomainWords) -> GroupWords:
    """A group by its name; or as another cloud writes it, with the domain it has there."""
    if not text.startswith(_JSON):
        return GroupWords(name=text, domain=domain)
    try:
        group = msgspec.json.decode(text[len(_JSON) :], type=GroupWords)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise Unmapped(f"a group cannot be read: {error}") from error
    return GroupWords(name=group.name, domain=group.domain or domain)


def _project(words: ProjectWords, carried: list[list[str]], domain: DomainWords) -> ProjectWords:
    roles = [RoleWords(_one(role.name, carried)) for role in words.roles]
    return ProjectWords(_one(words.name, carried).strip(), roles, _domain(words.domain, carried) or domain)


def _unique(groups: Iterable[GroupWords]) -> list[GroupWords]:
    found: list[GroupWords] = []
    for group in groups:
        if group not in found:
            found.append(group)
    return found


def _person(user: UserWords, domain: DomainWords, attributes: Attributes) -> Person:
    """Who it is. Where rules name nobody, the attribute does that names a person by itself. Raises Unmapped."""
    remote = BETWEEN.join(attributes.get(REMOTE_USER, ()))
    type_ = user.type or EPHEMERAL
    if type_ == LOCAL:
        if not user.id and not user.name:
            raise Unmapped("the rules name no user")
        return Person(type_, user.id, user.name, user.email, domain)
    id_ = user.id or user.name or remote
    if not id_:
        raise Unmapped("the rules name no user, nor does the person's provider")
    return Person(type_, id_, user.name or id_, user.email, domain)
