"""From a query string to what shall fit somewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cumulet.core.web.versions import version
from cumulet.services.placement.asking import Group, parse_members, parse_resources, parse_traits, parse_tree
from cumulet.services.placement.candidates.search import Request
from cumulet.services.placement.errors import BadQuery, MissingQuery

ONE = version("1.0")
GROUPED = {"resources": 10, "required": 17, "member_of": 21, "in_tree": 31}
SINGLE = {"limit": 16, "group_policy": 25, "root_required": 35, "same_subtree": 36}
"""Parameters, and the minor version that brought each."""
GROUPS_SINCE = version("1.25")
NESTED_SINCE = version("1.29")
NAMED_GROUPS_SINCE = version("1.33")
RESOURCELESS_SINCE = version("1.36")
MOST_GROUPS = 64

_GROUPED = re.compile(r"(resources|required|member_of|in_tree)(.*)\Z", re.DOTALL)
_NUMBER = re.compile(r"[1-9][0-9]{0,18}\Z")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


def parse(query: Sequence[tuple[str, str]], number: int) -> Request:
    """Raises BadQuery, MissingQuery."""
    given: dict[str, dict[str, list[str]]] = {}
    single: dict[str, list[str]] = {}
    for key, value in query:
        if key in SINGLE and number >= ONE + SINGLE[key]:
            single.setdefault(key, []).append(value)
            continue
        word, suffix = _grouped(key, number)
        given.setdefault(suffix, {}).setdefault(word, []).append(value)
    if len(given) > MOST_GROUPS:
        raise BadQuery(f"A request may hold {MOST_GROUPS} groups; this one has {len(given)}")
    groups = {suffix: _group(words, number) for suffix, words in given.items()}
    subtrees = _subtrees(single.get("same_subtree", []), groups)
    _check_orphans(groups, subtrees, number)
    return Request(
        groups=groups,
        isolate=_isolates(single.get("group_policy", []), groups),
        limit=_limit(single.get("limit", [])),
        root_traits=parse_traits([_root(text) for text in single.get("root_required", [])][:1], number),
        subtrees=subtrees,
        nested=number >= NESTED_SINCE,
    )


def _grouped(key: str, number: int) -> tuple[str, str]:
    found = _GROUPED.match(key)
    if found and number >= ONE + GROUPED[found[1]]:
        suffix = found[2]
        form = _NAME if number >= NAMED_GROUPS_SINCE else _NUMBER
        if not suffix or (number >= GROUPS_SINCE and form.match(suffix)):
            return found[1], suffix
    raise BadQuery(f"Invalid query string parameters: {key[:80]!r} is not known at this microversion")


def _group(words: dict[str, list[str]], number: int) -> Group:
    wanted, unwanted = parse_members(words.get("member_of", []), number)
    resources = words.get("resources")
    return Group(
        resources=parse_resources(resources[-1]) if resources else {},
        traits=parse_traits(words.get("required", []), number),
        member_of=wanted,
        not_member_of=unwanted,
        in_tree=parse_tree(words["in_tree"][-1] if "in_tree" in words else None),
    )


def _check_orphans(groups: dict[str, Group], subtrees: tuple[frozenset[str], ...], number: int) -> None:
    """A group without resources only says where others stand; for itself it means nothing."""
    if not any(group.resources for group in groups.values()):
        raise MissingQuery("At least one group with `resources` is required, such as resources=VCPU:1")
    orphans = sorted(suffix for suffix, group in groups.items() if not group.resources)
    if orphans and (number < RESOURCELESS_SINCE or "" in orphans):
        raise BadQuery(
            "All parameters must be associated with resources. Found the following groups without: "
            + ", ".join(repr(suffix) for suffix in orphans)[:200]
        )
    placed = frozenset().union(*subtrees)
    lost = [suffix for suffix in orphans if suffix not in placed]
    if lost:
        raise BadQuery(f"All resourceless suffixes must be specified in same_subtree: {', '.join(lost)[:200]}")


def _subtrees(texts: Sequence[str], groups: dict[str, Group]) -> tuple[frozenset[str], ...]:
    found = []
    for text in texts:
        suffixes = frozenset(text.split(","))
        if "" in suffixes:
            raise BadQuery("Empty string (unsuffixed group) can not be specified in `same_subtree`")
        unknown = sorted(suffixes - set(groups))
        if unknown:
            raise BadQuery(f"Real suffixes should be specified in `same_subtree`: {', '.join(unknown)[:200]}")
        found.append(suffixes)
    return tuple(found)


def _isolates(texts: Sequence[str], groups: dict[str, Group]) -> bool:
    if texts and texts[-1] not in ("none", "isolate"):
        raise BadQuery(f"Invalid query string parameters: group_policy is none or isolate, not {texts[-1][:40]!r}")
    if not texts and sum(1 for suffix, group in groups.items() if suffix and group.resources) > 1:
        raise MissingQuery(
            'The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.'
        )
    return bool(texts) and texts[-1] == "isolate"


def _limit(texts: Sequence[str]) -> int:
    if texts and not _NUMBER.match(texts[-1]):
        raise BadQuery(f"Invalid query string parameters: limit is a whole number above 0, not {texts[-1][:40]!r}")
    return int(texts[-1]) if texts else 0


def _root(text: str) -> str:
    if text.startswith("in:"):
        raise BadQuery("Invalid query string parameters: root_required takes required and forbidden traits only")
    return text
