"""Rules: what they refer to, what is wrong with them, and how the operator's words replace the defaults."""

from __future__ import annotations

import timeit
from itertools import pairwise

import pytest

from cumulet.core.access.rule_language import RuleText
from cumulet.core.access.rules import RuleError, Rules, faults
from tests.support.policy_oracle import Oracle

MEMBER = {"user_id": "u1", "project_id": "p1", "roles": ["member", "reader"]}
ADMIN = {"user_id": "root", "project_id": "p0", "roles": ["admin"]}
MINE, THEIRS = {"project_id": "p1"}, {"project_id": "p2"}

DEFAULTS = {
    "admin_api": "role:admin",
    "owner": "project_id:%(project_id)s",
    "member_or_admin": "(role:member and rule:owner) or rule:admin_api",
    "servers:start": "rule:member_or_admin",
    "servers:migrate": "rule:admin_api",
}


def test_a_rule_asks_the_rules_it_refers_to() -> None:
    rules = Rules(DEFAULTS)
    assert rules.allows("servers:start", MINE, MEMBER)
    assert not rules.allows("servers:start", THEIRS, MEMBER)
    assert rules.allows("servers:start", THEIRS, ADMIN)
    assert not rules.allows("servers:migrate", MINE, MEMBER)


def test_an_override_of_a_base_rule_reaches_every_rule_that_asks_it() -> None:
    rules = Rules(DEFAULTS, {"admin_api": "role:chief"})
    assert not rules.allows("servers:migrate", MINE, ADMIN)
    assert rules.allows("servers:migrate", MINE, {"roles": ["chief"]})


def test_the_operator_may_add_rules_of_his_own() -> None:
    rules = Rules(DEFAULTS, {"night_shift": [["role:operator", "user_id:u7"]], "servers:migrate": "rule:night_shift"})
    assert rules.allows("servers:migrate", MINE, {"user_id": "u7", "roles": ["operator"]})
    assert not rules.allows("servers:migrate", MINE, ADMIN)


def test_a_check_that_somebody_keeps_follows_later_overrides() -> None:
    rules = Rules(DEFAULTS)
    may_migrate = rules.check("servers:migrate")
    assert may_migrate(MINE, ADMIN)
    rules.override({"servers:migrate": "!"})
    assert not may_migrate(MINE, ADMIN)
    rules.override({})
    assert may_migrate(MINE, ADMIN)


def test_a_bad_override_changes_nothing() -> None:
    rules = Rules(DEFAULTS, {"servers:start": "!"})
    with pytest.raises(RuleError):
        rules.override({"servers:migrate": "@", "owner": "role:member and"})
    assert not rules.allows("servers:start", MINE, MEMBER)
    assert not rules.allows("servers:migrate", MINE, MEMBER)


def test_a_target_may_be_flat_or_nested() -> None:
    rules = Rules({"self": "user_id:%(target.user.id)s", "net": "project_id:%(network:project_id)s"})
    assert rules.allows("self", {"target.user.id": "u1"}, MEMBER)
    assert rules.allows("self", {"target": {"user": {"id": "u1"}}}, MEMBER)
    assert not rules.allows("self", {"target": {"user": "u1"}}, MEMBER)
    assert rules.allows("net", {"network": {"project_id": "p1"}}, MEMBER)
    assert not rules.allows("net", {"network": {"project_id": "p1"}, "network:project_id": "p2"}, MEMBER)


def test_a_field_may_be_its_parents() -> None:
    rules = Rules({"shared": "field:networks:shared=True", "dhcp": "field:port:device_owner=~^network:"})
    assert rules.allows("shared", {"shared": True}, MEMBER)
    assert rules.allows("shared", {"networks:shared": True}, MEMBER)
    assert not rules.allows("shared", {"shared": False, "networks:shared": True}, MEMBER)
    assert not rules.allows("shared", {"shared": None}, MEMBER)
    assert rules.allows("dhcp", {"device_owner": "network:dhcp"}, MEMBER)
    assert not rules.allows("dhcp", {"device_owner": "compute:network:dhcp"}, MEMBER)


def test_values_of_an_unexpected_shape_refuse() -> None:
    rules = Rules({"r": "role:admin", "deep": "user_id.name:x", "a": "project_id:%(project_id)s"})
    assert not rules.allows("r", {}, {"roles": "admin"})
    assert not rules.allows("r", {}, {"roles": None})
    assert not rules.allows("deep", {}, MEMBER)
    assert not rules.allows("a", {"project_id": ["p1"]}, MEMBER)


def test_an_unknown_rule_is_an_error_not_an_answer() -> None:
    rules = Rules(DEFAULTS)
    assert "servers:start" in rules
    assert "servers:strat" not in rules
    with pytest.raises(RuleError, match=r"'servers:strat'.*did you mean 'servers:start'"):
        rules.allows("servers:strat", MINE, ADMIN)
    with pytest.raises(RuleError, match="did you mean"):
        rules.check("servers:strat")


MISTAKES: list[tuple[RuleText, int | None, str, str]] = [
    ("role:admin and", 14, "a check is missing at the end", "role:admin"),
    (" ", 1, "a check is missing at the end", "@ or !"),
    ("and role:admin", 0, "missing before 'and'", "write one"),
    ("role:admin or or role:b", 14, "missing before 'or'", "write one"),
    ("not", 3, "missing at the end", "write one"),
    ("role:admin role:member", 11, "side by side", "'and' or 'or'"),
    ("role:admin adn role:member", 11, "side by side", "did you mean 'and'?"),
    ("adn role:member", 0, "'adn' is not a check", "did you mean 'and'?"),
    ("(role:admin or role:b", 0, "never closed", "')'"),
    ("(role:admin role:b)", 12, "side by side", "'and' or 'or'"),
    ("role:admin)", 10, "closes nothing", "remove it"),
    ("()", 1, "missing before ')'", "write one"),
    ("not(role:admin)", 0, "runs into a parenthesis", "space"),
    ("admin", 0, "'admin' is not a check", "kind:value"),
    ("'role:admin'", 0, "a quoted text alone", "before the ':'"),
    ("role:a or 'x:y:%(z)s", 10, "no kind of check", "quoted value"),
    ("project_id:%(project_id)", 11, "begins no place", "%(name)s"),
    ("project_id:%s", 11, "begins no place", "%(name)s"),
    ("project_id:a%()s", 12, "begins no place", "%(name)s"),
    ("http://checks.example/%(name)s", 0, "remote server", "roles and attributes"),
    ("field:networks:shared", 6, "no check of a field", "field:resource:name=value"),
    ("field:port:device_owner=~*", 6, "no pattern", "mend"),
    ("role:admin or rule:ownr", 14, "refers to 'ownr'", "did you mean 'owner'?"),
    (["role:admin", "member"], 0, "'member' is not a check", "kind:value"),
    ("(" * 21 + "role:admin" + ")" * 21, 20, "parentheses", "name its parts"),
    ("role:a or " * 2000 + "role:b", None, "more than 16384 characters", "split"),
]


@pytest.mark.parametrize(("text", "position", "problem", "remedy"), MISTAKES, ids=[str(m[0])[:30] for m in MISTAKES])
def test_a_mistake_is_named_with_its_place_and_its_remedy(
    text: RuleText, position: int | None, problem: str, remedy: str
) -> None:
    with pytest.raises(RuleError) as caught:
        Rules(DEFAULTS, {"servers:start": text})
    error = caught.value
    assert error.rule == "servers:start"
    assert error.position == position
    assert problem in error.problem
    assert remedy in error.remedy
    assert str(error).startswith("rule 'servers:start': ")
    assert problem in str(error)
    assert remedy in str(error)


def test_the_place_is_shown_within_a_long_text() -> None:
    text = "role:a or " * 50 + "bad or " + "role:b or " * 50 + "role:c"
    with pytest.raises(RuleError, match=r"at character 501 of '….*bad.*…'"):
        Rules({"long": text})


def test_rules_that_ask_each_other_in_a_circle_are_named() -> None:
    with pytest.raises(RuleError, match="it asks itself") as caught:
        Rules(DEFAULTS, {"admin_api": "role:admin or rule:servers:start"})
    assert set(caught.value.involved) == {"admin_api", "servers:start", "member_or_admin"}
    names = caught.value.problem.removeprefix("it asks itself: ").split(" → ")
    assert names[0] == names[-1]
    for asking, asked in pairwise(names):
        assert f"rule:{asked}" in {**DEFAULTS, "admin_api": "role:admin or rule:servers:start"}[asking]


def test_all_faults_can_be_had_at_once() -> None:
    found = faults({**DEFAULTS, "a": "role:x and", "b": "rule:nowhere", "c": "rule:a"})
    assert sorted(error.rule for error in found) == ["a", "b"]


def test_a_chain_of_rules_has_a_bound() -> None:
    chain = {f"r{n}": f"not rule:r{n + 1}" for n in range(150)} | {"r150": "role:admin"}
    with pytest.raises(RuleError, match="fewer steps"):
        Rules(chain)
    aliases = {f"r{n}": f"rule:r{n + 1}" for n in range(5000)} | {"r5000": "role:admin"}
    assert Rules(aliases).allows("r0", {}, ADMIN)


def test_a_check_costs_a_small_part_of_what_interpreting_costs() -> None:
    ours, theirs = Rules(DEFAULTS), Oracle(DEFAULTS)
    compiled = min(timeit.repeat(lambda: ours.allows("servers:start", THEIRS, MEMBER), number=500, repeat=5))
    interpreted = min(timeit.repeat(lambda: theirs.allows("servers:start", THEIRS, MEMBER), number=500, repeat=3))
    assert compiled * 10 < interpreted


def test_a_rule_closed_to_domains_lets_no_administrator_of_a_domain_in() -> None:
    rules = Rules(DEFAULTS)
    rules.close_to_domains({"servers:migrate"})
    assert rules.allows("servers:migrate", MINE, ADMIN)
    assert not rules.allows("servers:migrate", MINE, {**ADMIN, "domain_id": "d1"})
    assert rules.allows("servers:start", THEIRS, {**ADMIN, "domain_id": "d1"})
