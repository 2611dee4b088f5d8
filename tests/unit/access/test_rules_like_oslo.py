"""Rules answer as the reference interpreter of the policy language does."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cumulet.core.access.rules import Rules
from tests.support.policy_oracle import Oracle

CREDENTIALS = [
    {
        "user_id": "u1",
        "user_domain_id": "d1",
        "project_id": "p1",
        "project_domain_id": "d1",
        "domain_id": None,
        "system_scope": None,
        "roles": ["member", "Reader"],
        "is_admin": False,
        "is_admin_project": True,
        "service_roles": ["service"],
        "token": {"domain": {"id": "d1"}, "grants": [{"id": "g1"}, {"id": "g2"}]},
    },
    {
        "user_id": "u2",
        "project_id": None,
        "domain_id": "d1",
        "system_scope": None,
        "roles": ["admin"],
        "is_admin": True,
    },
    {"user_id": "root", "project_id": None, "domain_id": None, "system_scope": "all", "roles": ["ADMIN"]},
    {"user_id": None, "project_id": "p1", "roles": []},
    {},
]
TARGETS = [
    {"project_id": "p1", "user_id": "u1", "enabled": True, "visibility": "public", "role.name": "Member", "n": 7},
    {
        "project_id": None,
        "target.user.id": "u1",
        "target.user.domain_id": "d1",
        "enabled": False,
        "visibility": "shared",
    },
    {"network:project_id": "p1", "shared": True, "device_owner": "network:dhcp", "role.name": "admin", "grant": "g2"},
    {},
]

# Texts that operators' files hold: those of today, and those of releases long ago.
REAL = [
    "",
    "@",
    "!",
    "rule:base_admin",
    "rule:base_owner or rule:base_admin",
    "role:admin",
    "Role:admin or role:ADMIN",
    "is_admin:True",
    "is_admin:1 or role:Admin",
    "is_admin:True or (role:admin and is_admin_project:True)",
    "is_admin:True or project_id:%(project_id)s",
    "system_scope:all",
    "system:all",
    "(role:reader and system_scope:all) or rule:base_owner",
    "role:member and system_scope:None",
    "None:%(project_id)s",
    "not None:%(project_id)s and True:%(enabled)s",
    "user_id:%(target.user.id)s and user_domain_id:%(target.user.domain_id)s",
    "token.domain.id:%(target.user.domain_id)s",
    "token.grants.id:%(grant)s",
    "token.absent.id:%(grant)s",
    "service_roles:service",
    "role:%(role.name)s",
    "'Member':%(role.name)s or \"admin\":%(role.name)s",
    "'public':%(visibility)s or 'shared':%(visibility)s",
    "7:%(n)s",
    "7.0:%(n)s",
    "project_id:%(network:project_id)s",
    "project_id:p%(n)s or user_id:u1",
    "user_id:%%",
    "field:networks:shared=True",
    "field:port:device_owner=~^network:",
    "not field:port:device_owner=~^compute:",
    "(role:admin) AND (role:reader) OR not role:nobody",
    "role:reader and project_id:%(project_id)s or rule:base_admin and not (role:x or role:y) or role:z",
    "((role:member and project_id:%(project_id)s)) and not not role:reader",
    "role:a or role:member and not role:reader and @ or !",
    [],
    [[]],
    ["role:admin"],
    [["role:member", "project_id:%(project_id)s"], ["rule:base_admin"], []],
    [["!"], "is_admin:True"],
]
BASE = {"base_admin": "role:admin or is_admin:True", "base_owner": "project_id:%(project_id)s"}


@pytest.mark.parametrize("text", REAL, ids=str)
def test_a_rule_that_operators_write(text: str) -> None:
    texts = {**BASE, "asked": text}
    ours, theirs = Rules(texts), Oracle(texts)
    for target, creds in itertools.product(TARGETS, CREDENTIALS):
        assert ours.allows("asked", target, creds) == theirs.allows("asked", target, creds), (target, creds)


ROLES = ["admin", "Member", "reader", "nobody"]
ATTRIBUTES = ["user_id", "project_id", "domain_id", "is_admin", "system_scope", "token.domain.id", "token.grants.id"]
KEYS = sorted({key for target in TARGETS for key in target} | {"absent"})
LITERALS = ["None", "True", "False", "7", "'public'", '"Member"']

templates = st.one_of(
    st.sampled_from(KEYS).map(lambda key: f"%({key})s"),
    st.tuples(st.sampled_from(["p", "u", ""]), st.sampled_from(KEYS)).map(lambda both: f"{both[0]}%({both[1]})s"),
    st.sampled_from(["p1", "u1", "d1", "True", "all", "None", "g1", "100%%"]),
)
checks = st.one_of(
    st.sampled_from(["@", "!", "rule:base_admin", "rule:base_owner"]),
    st.sampled_from(ROLES).map(lambda role: f"role:{role}"),
    st.sampled_from(KEYS).map(lambda key: f"role:%({key})s"),
    st.tuples(st.sampled_from(ATTRIBUTES + LITERALS), templates).map(":".join),
)
spaces = st.sampled_from([" ", "  ", "\n ", "\t"])


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    """Any text of the language, parenthesised or not, so that precedence is compared, too."""
    shape = draw(st.sampled_from(["check", "join", "join", "not", "parentheses"])) if depth else "check"
    if shape == "check":
        return draw(checks)
    if shape == "not":
        inner = draw(expressions(depth - 1))
        return f"{draw(st.sampled_from(['not', 'NOT', 'Not']))} " + (inner if draw(st.booleans()) else f"({inner})")
    if shape == "parentheses":
        return f"({draw(st.sampled_from(['', ' ']))}{draw(expressions(depth - 1))}{draw(st.sampled_from(['', ' ']))})"
    word = draw(st.sampled_from(["and", "or", "AND", "Or"]))
    parts = draw(st.lists(expressions(depth - 1), min_size=2, max_size=3))
    return f"{draw(spaces)}{word}{draw(spaces)}".join(parts)


@settings(max_examples=300)
@given(text=expressions(), target=st.sampled_from(TARGETS), creds=st.sampled_from(CREDENTIALS))
def test_any_expression(text: str, target: dict[str, object], creds: dict[str, object]) -> None:
    texts = {**BASE, "asked": text}
    assert Rules(texts).allows("asked", target, creds) == Oracle(texts).allows("asked", target, creds)


@settings(max_examples=100)
@given(
    lists=st.lists(st.one_of(checks, st.lists(checks, max_size=3)), max_size=3),
    target=st.sampled_from(TARGETS),
    creds=st.sampled_from(CREDENTIALS),
)
def test_any_list_of_lists(lists: list[str | list[str]], target: dict[str, object], creds: dict[str, object]) -> None:
    texts = {**BASE, "asked": lists}
    assert Rules(texts).allows("asked", target, creds) == Oracle(texts).allows("asked", target, creds)
