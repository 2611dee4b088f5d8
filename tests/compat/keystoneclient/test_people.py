"""Domains, projects, users, groups and roles."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from keystoneauth1.exceptions import http as refusals

from tests.compat.keystoneclient.words import PASSWORD, gone, name, own, role


def test_domains_and_their_configuration(admin: Any) -> None:
    domain = admin.domains.create(name(), description="d")
    assert domain.id in {one.id for one in admin.domains.list()}
    assert admin.domains.update(domain, description="e", enabled=False).description == "e"
    config = {"identity": {"driver": "ldap"}, "ldap": {"url": "ldap://192.0.2.1", "password": "secret"}}
    assert "password" not in admin.domain_configs.create(domain, config).ldap
    admin.domain_configs.update(domain, {"ldap": {"url": "ldap://192.0.2.2"}})
    assert admin.domain_configs.get(domain).ldap == {"url": "ldap://192.0.2.2"}
    admin.domain_configs.delete(domain)
    gone(admin.domain_configs.get, domain)
    admin.domains.delete(domain)
    gone(admin.domains.get, domain)


def test_projects(admin: Any) -> None:
    project = admin.projects.create(name(), "default", description="p")
    below = admin.projects.create(name(), "default", parent=project)
    assert admin.projects.get(below, parents_as_ids=True).parents == {project.id: {"default": None}}
    admin.roles.grant(role(admin, "member"), user=admin.session.get_user_id(), project=below)
    assert [one["project"]["id"] for one in admin.projects.get(project, subtree_as_list=True).subtree] == [below.id]
    assert [one.id for one in admin.projects.list(parent=project)] == [below.id]
    project.add_tag("blue")
    project.update_tags(["red", "green"])
    assert admin.projects.check_tag(project, "red")
    assert sorted(project.list_tags()) == ["green", "red"]
    assert [one.id for one in admin.projects.list(tags="red,green")] == [project.id]
    project.delete_all_tags()
    assert project.update(description="q").description == "q"
    admin.projects.delete(below)
    admin.projects.delete(project)
    gone(admin.projects.get, project)


def test_users_and_groups(admin: Any, enter: Callable[..., Any], user: Any) -> None:
    group = admin.groups.create(name(), domain="default", description="g")
    admin.users.add_to_group(user, group)
    admin.users.check_in_group(user, group)
    assert [one.id for one in admin.users.list(group=group)] == [user.id]
    assert [one.id for one in admin.groups.list(user=user)] == [group.id]
    assert group.update(description="h").description == "h"
    admin.users.remove_from_group(user, group)
    gone(admin.users.check_in_group, user, group)
    admin.groups.delete(group)
    gone(admin.groups.get, group)
    assert admin.users.update(user, email="u@example.org").email == "u@example.org"
    assert [one.id for one in admin.users.list(domain="default", name=user.name)] == [user.id]
    mine = own(enter, user)
    mine.users.update_password(PASSWORD, PASSWORD + "2")
    with pytest.raises(refusals.Unauthorized):
        own(enter, user).projects.list(user=user)


def test_roles(admin: Any, user: Any) -> None:
    one, other = admin.roles.create(name()), admin.roles.create(name())
    local = admin.roles.create(name(), domain="default")
    assert [found.id for found in admin.roles.list(domain_id="default")] == [local.id]
    assert admin.roles.update(one, name=one.name + "x").name == one.name + "x"
    implied = admin.inference_rules
    implied.create(one, other)
    assert implied.check(one, other)
    assert implied.get(one, other).implies["id"] == other.id
    assert [found["id"] for found in implied.list(one).implies] == [other.id]
    assert one.id in {rule.prior_role["id"] for rule in implied.list_inference_roles()}
    group = admin.groups.create(name(), domain="default")
    project = user.default_project_id
    for place in ({"project": project}, {"domain": "default"}, {"system": "all"}):
        for actor in ({"user": user}, {"group": group}):
            admin.roles.grant(one, **actor, **place)
            admin.roles.check(one, **actor, **place)
            assert one.id in {found.id for found in admin.roles.list(**actor, **place)}
            admin.roles.revoke(one, **actor, **place)
            gone(admin.roles.check, one, **actor, **place)
    admin.roles.grant(one, user=user, domain="default", os_inherit_extension_inherited=True)
    admin.roles.check(one, user=user, domain="default", os_inherit_extension_inherited=True)
    given = admin.role_assignments.list(user=user, effective=True, include_names=True)
    assert {(found.role["id"], found.scope["project"]["id"]) for found in given} >= {(other.id, project)}
    assert all(found.user["name"] == user.name for found in given)
    implied.delete(one, other)
    for made in (one, other, local):
        admin.roles.delete(made)
        gone(admin.roles.get, made)
    admin.groups.delete(group)


def test_what_is_refused(admin: Any, enter: Callable[..., Any], user: Any) -> None:
    """The client tells its users apart what happened."""
    with pytest.raises(refusals.Conflict):
        admin.users.create(user.name, domain="default")
    with pytest.raises(refusals.Forbidden):
        own(enter, user).users.list()
    with pytest.raises(refusals.BadRequest):
        admin.users.create("", domain="default")
    with pytest.raises(refusals.NotFound):
        admin.users.get(json.dumps("nobody"))
