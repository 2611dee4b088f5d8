"""python-keystoneclient, the library that other services and older tools use, against the running program.

One story for each of its managers: made, found, changed, removed, and seen gone. The client builds its objects from
what it was answered, so that an attribute which is asked for below is one that its users rely on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from keystoneauth1 import session
from keystoneauth1.exceptions import http as refusals
from keystoneauth1.identity import v3
from keystoneclient.v3 import client as keystone
from keystoneclient.v3.contrib.oauth1.auth import OAuth

from tests.support.running_cloud import RunningCloud

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def enter(cloud: RunningCloud) -> Iterator[Callable[..., Any]]:
    """Log in with any method of the library; a client."""
    with ExitStack() as sessions:

        def client(auth: v3.Auth | None = None, **how: Any) -> Any:
            auth = auth or v3.Password(f"{cloud.url}/identity/v3", user_domain_id="default", **how)
            opened = session.Session(auth=auth)
            sessions.callback(opened.session.close) if opened.session else None
            return keystone.Client(session=opened, interface="public")

        yield client


@pytest.fixture(scope="module")
def admin(cloud: RunningCloud, enter: Callable[..., Any]) -> Any:
    return enter(username="admin", password=cloud.password, project_name="admin", project_domain_id="default")


@pytest.fixture
def user(admin: Any) -> Iterator[Any]:
    """A member of a project of his own."""
    project = admin.projects.create(name(), "default")
    made = admin.users.create(name(), domain="default", password=PASSWORD, default_project=project)
    admin.roles.grant(role(admin, "member"), user=made, project=project)
    yield made
    admin.users.delete(made)
    admin.projects.delete(project)


def name() -> str:
    return f"k-{uuid4().hex[:12]}"


def role(admin: Any, called: str) -> Any:
    return admin.roles.find(name=called)


def own(enter: Callable[..., Any], user: Any) -> Any:
    return enter(username=user.name, password=PASSWORD, project_id=user.default_project_id)


def gone(get: Callable[..., Any], *what: Any, **where: Any) -> None:
    with pytest.raises(refusals.NotFound):
        get(*what, **where)


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


def test_the_catalogue(admin: Any) -> None:
    region = admin.regions.create(id=name(), description="r")
    inner = admin.regions.create(id=name(), parent_region=region)
    assert admin.regions.update(region, description="s").description == "s"
    service = admin.services.create(name(), type="rooms", description="x")
    assert [one.id for one in admin.services.list(type="rooms")] == [service.id]
    assert admin.services.update(service, enabled=False).enabled is False
    endpoint = admin.endpoints.create(service, "http://192.0.2.1", interface="public", region=inner.id)
    assert [one.id for one in admin.endpoints.list(service=service, interface="public")] == [endpoint.id]
    assert admin.endpoints.update(endpoint, url="http://192.0.2.2").url == "http://192.0.2.2"

    project = admin.projects.create(name(), "default")
    chosen = admin.endpoint_filter
    chosen.add_endpoint_to_project(project, endpoint)
    chosen.check_endpoint_in_project(project, endpoint)
    assert [one.id for one in chosen.list_endpoints_for_project(project)] == [endpoint.id]
    assert [one.id for one in chosen.list_projects_for_endpoint(endpoint)] == [project.id]
    chosen.delete_endpoint_from_project(project, endpoint)
    group = admin.endpoint_groups.create(name(), {"interface": "public"}, description="all")
    admin.endpoint_groups.check(group)
    assert admin.endpoint_groups.update(group, description="more").description == "more"
    chosen.add_endpoint_group_to_project(group, project)
    chosen.check_endpoint_group_in_project(group, project)
    assert [one.id for one in chosen.list_endpoint_groups_for_project(project)] == [group.id]
    assert [one.id for one in chosen.list_projects_for_endpoint_group(group)] == [project.id]
    chosen.delete_endpoint_group_from_project(group, project)
    admin.endpoint_groups.delete(group)
    gone(admin.endpoint_groups.get, group)

    policy = admin.policies.create("{}", type="application/json")
    assert admin.policies.update(policy, blob='{"a": "b"}').blob == '{"a": "b"}'
    assert policy.id in {one.id for one in admin.policies.list()}
    tied = admin.endpoint_policy
    tied.create_policy_association_for_endpoint(policy, endpoint)
    tied.check_policy_association_for_endpoint(policy, endpoint)
    assert tied.get_policy_for_endpoint(endpoint).id == policy.id
    assert [one.id for one in tied.list_endpoints_for_policy(policy)] == [endpoint.id]
    tied.delete_policy_association_for_endpoint(policy, endpoint)
    tied.create_policy_association_for_service(policy, service)
    tied.delete_policy_association_for_service(policy, service)
    tied.create_policy_association_for_region_and_service(policy, inner, service)
    tied.check_policy_association_for_region_and_service(policy, inner, service)
    tied.delete_policy_association_for_region_and_service(policy, inner, service)
    admin.policies.delete(policy)
    gone(admin.policies.get, policy)
    for manager, made in (
        (admin.endpoints, endpoint),
        (admin.services, service),
        (admin.regions, inner),
        (admin.regions, region),
        (admin.projects, project),
    ):
        manager.delete(made)
        gone(manager.get, made)


def test_limits(admin: Any, user: Any) -> None:
    service = admin.services.create(name(), type="rooms")
    registered = admin.registered_limits.create(service, "beds", 2, description="b")
    assert [one.id for one in admin.registered_limits.list(service=service)] == [registered.id]
    assert admin.registered_limits.update(registered, default_limit=3).default_limit == 3
    limit = admin.limits.create(user.default_project_id, service, "beds", 5)
    assert limit.resource_limit == 5
    assert [one.id for one in admin.limits.list(service=service, resource_name="beds")] == [limit.id]
    assert admin.limits.update(limit, resource_limit=6).resource_limit == 6
    for manager, made in (
        (admin.limits, limit),
        (admin.registered_limits, registered),
        (admin.services, service),
    ):
        manager.delete(made)
        gone(manager.get, made)


def test_credentials(admin: Any, user: Any) -> None:
    made = admin.credentials.create(user, "cert", "text", project=user.default_project_id)
    assert [one.id for one in admin.credentials.list(user_id=user.id)] == [made.id]
    assert admin.credentials.update(made, user, type="cert", blob="other").blob == "other"
    admin.credentials.delete(made)
    gone(admin.credentials.get, made)
    keys = admin.ec2.create(user.id, user.default_project_id)
    assert admin.ec2.get(user.id, keys.access).secret == keys.secret
    assert [one.access for one in admin.ec2.list(user.id)] == [keys.access]
    admin.ec2.delete(user.id, keys.access)
    gone(admin.ec2.get, user.id, keys.access)


def test_trusts(admin: Any, enter: Callable[..., Any], user: Any, cloud: RunningCloud) -> None:
    mine = own(enter, user)
    butler = admin.users.create(name(), domain="default", password=PASSWORD)
    trust = mine.trusts.create(
        butler,
        user,
        role_names=["member"],
        project=user.default_project_id,
        impersonation=True,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        remaining_uses=3,
    )
    assert trust.remaining_uses == 3
    assert [one.id for one in mine.trusts.list(trustor_user=user)] == [trust.id]
    acting = enter(username=butler.name, password=PASSWORD, trust_id=trust.id)
    assert acting.session.get_user_id() == user.id
    assert mine.trusts.get(trust).remaining_uses == 2
    mine.trusts.delete(trust)
    gone(mine.trusts.get, trust)
    admin.users.delete(butler)


def test_application_credentials(enter: Callable[..., Any], user: Any, cloud: RunningCloud) -> None:
    mine = own(enter, user)
    rules = [{"service": "identity", "path": "/v3/users/*", "method": "GET"}]
    made = mine.application_credentials.create(name(), secret="s", roles=[{"name": "member"}], access_rules=rules)
    assert mine.application_credentials.find(name=made.name).id == made.id
    assert [one.id for one in mine.application_credentials.list(user=user.id)] == [made.id]
    (rule,) = mine.access_rules.list()
    assert mine.access_rules.get(rule).path == "/v3/users/*"
    robot = enter(v3.ApplicationCredential(f"{cloud.url}/identity/v3", "s", application_credential_id=made.id))
    assert robot.users.get(user).id == user.id
    with pytest.raises(refusals.Unauthorized):
        robot.projects.get(user.default_project_id)
    mine.application_credentials.delete(made)
    gone(mine.application_credentials.get, made)
    mine.access_rules.delete(rule)
    gone(mine.access_rules.get, rule)


def test_tokens(admin: Any, enter: Callable[..., Any], user: Any) -> None:
    mine = own(enter, user)
    token = mine.session.get_token()
    found = admin.tokens.validate(token)
    assert (found.user_id, found.project_id, found.role_names) == (user.id, user.default_project_id, found.role_names)
    assert found.has_service_catalog()
    assert not admin.tokens.validate(token, include_catalog=False).has_service_catalog()
    assert admin.tokens.get_token_data(token)["token"]["user"]["name"] == user.name
    assert [one.id for one in mine.auth.projects()] == [user.default_project_id]
    assert mine.auth.domains() == []
    mine.tokens.revoke_token(token)
    gone(admin.tokens.validate, token)


def test_oauth1(admin: Any, enter: Callable[..., Any], cloud: RunningCloud) -> None:
    consumers = admin.oauth1.consumers
    consumer = consumers.create(description="c")
    assert consumers.update(consumer, description="d").description == "d"
    assert consumer.id in {one.id for one in consumers.list()}
    project = admin.session.get_project_id()
    asked = admin.oauth1.request_tokens.create(consumer.id, consumer.secret, project)
    verifier = admin.oauth1.request_tokens.authorize(asked.key, [role(admin, "member").id]).oauth_verifier
    lent = admin.oauth1.access_tokens.create(consumer.id, consumer.secret, asked.key, asked.secret, verifier)
    method = OAuth(
        f"{cloud.url}/identity/v3",
        consumer_key=consumer.id,
        consumer_secret=consumer.secret,
        access_key=lent.key,
        access_secret=lent.secret,
    )
    acting = enter(method)
    assert acting.session.get_project_id() == project
    consumers.delete(consumer)
    gone(consumers.get, consumer)


def test_federation(admin: Any) -> None:
    federation = admin.federation
    provider = federation.identity_providers.create(id=name(), description="p", remote_ids=["a"])
    rules = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "REMOTE_USER"}]}]
    mapping = federation.mappings.create(mapping_id=name(), rules=rules)
    assert federation.mappings.get(mapping).rules == rules
    protocol = federation.protocols.create("openid", provider, mapping)
    assert [one.id for one in federation.protocols.list(provider)] == [protocol.id]
    assert federation.identity_providers.update(provider, enabled=True).enabled is True
    other = federation.service_providers.create(
        id=name(), auth_url="https://sp.example.org/auth", sp_url="https://sp.example.org/sp"
    )
    assert other.id in {one.id for one in federation.service_providers.list()}
    federation.protocols.delete(provider.id, protocol.id)
    for manager, made in (
        (federation.service_providers, other),
        (federation.mappings, mapping),
        (federation.identity_providers, provider),
    ):
        manager.delete(made)
        gone(manager.get, made)


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
