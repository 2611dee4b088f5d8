"""From the attributes of a person to what he is and gets here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.services.identity.federation.mapping import (
    EPHEMERAL,
    LOCAL,
    Mapped,
    Unmapped,
    carry,
    fill,
    mapped,
    values_of,
)
from cumulet.services.identity.federation.rules import Remote, Rule, rules_of

HOME = "home"
NAMED = {"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "UserName"}]}


def told(rules: list[Any], version: str = "1.0", **attributes: str) -> Mapped:
    return mapped(rules_of(rules), values_of(attributes.items()), version, HOME)


def rule(*local: Any, remote: Any = ({"type": "UserName"},)) -> dict[str, Any]:
    return {"local": list(local), "remote": list(remote)}


def names(found: Mapped) -> list[tuple[str, str]]:
    return [(group.name, group.domain.id or group.domain.name) for group in found.groups if group.domain]


def test_attributes_become_a_user_and_groups() -> None:
    remote = [{"type": "FirstName"}, {"type": "LastName"}, {"type": "Email"}, {"type": "OIDC_GROUPS"}]
    user = {"name": "{0} {1}", "email": "{2}"}
    group = {"name": "{3}", "domain": {"id": "0cd5e9"}}
    rules = [rule({"user": user, "group": group}, remote=remote)]
    found = told(rules, FirstName="Jane", LastName="Doe", Email="jane@x.test", OIDC_GROUPS="developers;testers")
    assert (found.person.type, found.person.name, found.person.id) == (EPHEMERAL, "Jane Doe", "Jane Doe")
    assert found.person.email == "jane@x.test"
    assert found.person.domain.id == HOME
    assert names(found) == [("developers", "0cd5e9"), ("testers", "0cd5e9")]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"whitelist": ["Developers", "OpsTeam"]}, ["Developers", "OpsTeam"]),
        ({"blacklist": ["Finance"]}, ["Developers", "OpsTeam", "Marketing"]),
        ({"whitelist": [".*Team$"], "regex": True}, ["OpsTeam"]),
        ({"blacklist": ["^[DF]"], "regex": True}, ["OpsTeam", "Marketing"]),
        ({"whitelist": []}, []),
        ({"blacklist": []}, ["Developers", "OpsTeam", "Finance", "Marketing"]),
        ({"whitelist": [".*"]}, []),
    ],
)
def test_lists_choose_values(condition: Any, expected: list[str]) -> None:
    remote = [{"type": "UserName"}, {"type": "G", **condition}]
    rules = [rule({"user": {"name": "{0}"}}, {"groups": "{1}", "domain": {"id": "d"}}, remote=remote)]
    found = told(rules, UserName="j", G="Developers;OpsTeam;Finance;Marketing")
    assert [name for name, _ in names(found)] == expected


@pytest.mark.parametrize(
    ("condition", "value", "met"),
    [
        ({"any_one_of": ["a", "b"]}, "x;b", True),
        ({"any_one_of": ["a", "b"]}, "x;bb", False),
        ({"any_one_of": ["b+$"], "regex": True}, "x;abb", True),
        ({"any_one_of": []}, "x", False),
        ({"not_any_of": ["a"]}, "x;y", True),
        ({"not_any_of": ["a"]}, "x;a", False),
        ({"not_any_of": ["^a"], "regex": True}, "ba", True),
        ({"not_any_of": ["^a"], "regex": True}, "b;ab", False),
    ],
)
def test_conditions_decide(condition: Any, value: str, met: bool) -> None:
    assert (
        carry(rules_of([rule(remote=[{"type": "T", **condition}])])[0].remote, {"T": value.split(";")}) == []
    ) is met


def test_a_missing_attribute_meets_no_condition() -> None:
    for condition in ({}, {"any_one_of": ["a"]}, {"not_any_of": ["a"]}, {"blacklist": ["a"]}):
        with pytest.raises(Unmapped):
            told([rule({"user": {"name": "x"}}, remote=[{"type": "T", **condition}])], UserName="j")


def test_conditions_are_not_counted_by_templates() -> None:
    remote = [{"type": "K", "any_one_of": ["staff"]}, {"type": "UserName"}]
    assert told([rule({"user": {"name": "{0}"}}, remote=remote)], K="staff", UserName="j").person.name == "j"


def test_rules_add_up_and_the_first_user_counts() -> None:
    def kind(word: str, condition: str) -> dict[str, Any]:
        group = {"name": word, "domain": {"id": "d"}}
        remote = [{"type": "UserName"}, {"type": "K", condition: ["Contractor"]}]
        return rule({"user": {"name": f"{word}-{{0}}"}}, {"group": group}, remote=remote)

    rules = [kind("inside", "not_any_of"), kind("outside", "any_one_of"), rule({"group": {"id": "all"}})]
    inside, outside = told(rules, UserName="j", K="Employee"), told(rules, UserName="j", K="Contractor")
    assert (names(inside), inside.group_ids) == ([("inside", "d")], ("all",))
    assert (names(outside), outside.group_ids) == ([("outside", "d")], ("all",))
    assert outside.person.name == "outside-j"
    both = told([rule({"user": {"name": "first"}}), rule({"user": {"name": "second"}})], UserName="j")
    assert both.person.name == "first"


def test_who_is_named_nowhere() -> None:
    only_groups = [rule({"group": {"id": "g"}})]
    assert told(only_groups, UserName="j", REMOTE_USER="remote").person.id == "remote"
    with pytest.raises(Unmapped):
        told(only_groups, UserName="j")
    with pytest.raises(Unmapped):
        told([rule({"user": {"name": "{0}"}}, remote=[{"type": "UserName", "whitelist": []}])], UserName="j")


def test_an_id_of_its_own() -> None:
    remote = [{"type": "Sub"}, {"type": "UserName"}]
    person = told([rule({"user": {"id": "{0}", "name": "{1}"}}, remote=remote)], Sub="17", UserName="j").person
    assert (person.id, person.name) == ("17", "j")


def test_a_local_user_keeps_his_own_groups() -> None:
    user = {"name": "{0}", "type": "local", "domain": {"name": "Default"}}
    found = told([rule({"user": user}, {"group": {"id": "g"}})], UserName="j")
    assert (found.person.type, found.person.name, found.person.domain.name) == (LOCAL, "j", "Default")
    assert (found.group_ids, found.groups, found.projects) == ((), (), ())


def test_projects_with_roles() -> None:
    projects = [
        {"name": "Project for {0}", "roles": [{"name": "admin"}]},
        {"name": "Shared", "roles": [{"name": "reader"}, {"name": "member"}], "domain": {"name": "Default"}},
    ]
    found = told([rule({"user": {"name": "{0}"}}, {"projects": projects})], UserName="j").projects
    assert [(p.name, [role.name for role in p.roles]) for p in found] == [
        ("Project for j", ["admin"]),
        ("Shared", ["reader", "member"]),
    ]
    assert [p.domain.id or p.domain.name for p in found if p.domain] == [HOME, "Default"]


def test_a_domain_beside_them_counts_in_the_second_schema() -> None:
    project = {"name": "p", "roles": [{"name": "member"}]}
    local = {"user": {"name": "{0}"}, "groups": "a;b", "projects": [project], "domain": {"id": "beside"}}
    first, second = (told([rule(local)], version, UserName="j") for version in ("1.0", "2.0"))
    assert names(first) == names(second) == [("a", "beside"), ("b", "beside")]
    assert (first.person.domain.id, second.person.domain.id) == (HOME, "beside")
    assert [found.projects[0].domain.id for found in (first, second) if found.projects[0].domain] == [HOME, "beside"]
    own = {**local, "user": {"name": "{0}", "domain": {"id": "own"}}}
    assert told([rule(own)], "2.0", UserName="j").person.domain.id == "own"


def test_groups_without_a_domain_are_the_providers() -> None:
    found = told([rule({"user": {"name": "x"}}, {"groups": "{0}"})], UserName="a;b")
    assert names(found) == [("a", HOME), ("b", HOME)]


def test_groups_of_another_cloud_bring_their_domains() -> None:
    one, two = 'JSON:{"name":"g1","domain":{"name":"Default"}}', 'JSON:{"name":"g2","domain":{"name":"X"}}'
    remote = [{"type": "openstack_user"}, {"type": "openstack_groups"}]
    rules = [rule({"user": {"name": "{0}"}}, {"groups": "{1}"}, remote=remote)]
    found = told(rules, openstack_user="u", openstack_groups=f"{one};{two}")
    assert names(found) == [("g1", "Default"), ("g2", "X")]
    with pytest.raises(Unmapped):
        told(rules, openstack_user="u", openstack_groups="JSON:{nothing")


def test_group_ids_of_an_attribute() -> None:
    remote = [{"type": "UserName"}, {"type": "ids", "whitelist": ["abc", "123"]}]
    found = told([rule({"user": {"name": "{0}"}}, {"group_ids": "{1}"}, remote=remote)], UserName="j", ids="abc;x;123")
    assert found.group_ids == ("abc", "123")


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="{};\0"), max_size=12)
CARRIED = st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=4)


@given(CARRIED, st.data())
def test_a_template_becomes_all_its_values(carried: list[list[str]], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(carried) - 1))
    before, after = data.draw(TEXTS), data.draw(TEXTS)
    assert fill(f"{before}{{{place}}}{after}", carried) == [before + value + after for value in carried[place]]


@given(TEXTS, CARRIED)
def test_a_plain_text_stays_as_it_is(text: str, carried: list[list[str]]) -> None:
    assert fill(text, carried) == [text]


@given(CARRIED)
def test_what_is_filled_in_is_not_looked_at_again(carried: list[list[str]]) -> None:
    tricky = [["{0}{1}{99}"], *carried]
    assert fill("{0}", tricky) == ["{0}{1}{99}"]


def test_a_place_without_an_attribute() -> None:
    with pytest.raises(Unmapped):
        told([rule({"user": {"name": "{1}"}})], UserName="j")


def test_a_template_does_not_explode() -> None:
    many = [str(number) for number in range(101)]
    with pytest.raises(Unmapped):
        fill("{0}{1}", [many, many])


VALUES = st.lists(TEXTS.filter(bool), min_size=1, max_size=5)


@given(VALUES, VALUES)
def test_the_two_lists_part_the_values(values: list[str], listed: list[str]) -> None:
    white, black = (carry([Remote("T", **{word: listed})], {"T": values}) for word in ("whitelist", "blacklist"))
    assert white is not None
    assert black is not None
    assert sorted(white[0] + black[0]) == sorted(values)
    assert set(white[0]) <= set(listed)


@given(VALUES, VALUES)
def test_the_two_conditions_are_opposite(values: list[str], listed: list[str]) -> None:
    some, none = (carry([Remote("T", **{word: listed})], {"T": values}) for word in ("any_one_of", "not_any_of"))
    assert (some is None) != (none is None)


ATTRIBUTE = st.sampled_from(["A", "B", "C"])
TEMPLATE = st.lists(st.sampled_from(["{0}", "{1}", "{7}", "x", ";", "{", "}", "JSON:", "{}"]), max_size=4).map("".join)
DOMAIN = st.fixed_dictionaries({}, optional={"id": TEMPLATE, "name": TEMPLATE})
LOCALS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "user": st.fixed_dictionaries({}, optional={"id": TEMPLATE, "name": TEMPLATE, "domain": DOMAIN}),
            "group": st.fixed_dictionaries({"name": TEMPLATE.filter(bool), "domain": DOMAIN}),
            "groups": TEMPLATE,
            "group_ids": TEMPLATE,
            "domain": DOMAIN,
        },
    ),
    max_size=3,
)
REMOTES = st.lists(
    st.builds(
        lambda name, condition, values: {"type": name, **({condition: values} if condition else {})},
        ATTRIBUTE,
        st.sampled_from(["", "any_one_of", "not_any_of", "whitelist", "blacklist"]),
        VALUES,
    ),
    min_size=1,
    max_size=3,
)
RULES = st.lists(st.fixed_dictionaries({"local": LOCALS, "remote": REMOTES}), min_size=1, max_size=3)


@given(RULES, st.dictionaries(ATTRIBUTE, VALUES), st.sampled_from(["1.0", "2.0"]))
def test_whatever_the_rules_there_is_a_user_or_a_reason(
    rules: list[Any], attributes: dict[str, list[str]], version: str
) -> None:
    read: list[Rule] = rules_of(rules)
    try:
        found = mapped(read, attributes, version, HOME)
    except Unmapped:
        return
    assert found.person.id
    assert found.person.name
    assert all(group.domain for group in found.groups)
    assert mapped(read, attributes, version, HOME) == found


@pytest.mark.parametrize("text", ["a\0b", "half \ud800"])
def test_what_cannot_be_kept_lets_nobody_in(text: str) -> None:
    with pytest.raises(Unmapped):
        mapped(rules_of([NAMED]), {"UserName": ["j"], "Other": ["x", text]}, "1.0", HOME)
    with pytest.raises(ValueError, match="rules"):
        rules_of([rule({"user": {"name": "a\0b"}})])
