"""Tokens, credentials, and what is lent to others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from keystoneauth1.exceptions import http as refusals
from keystoneauth1.identity import v3
from keystoneclient.v3.contrib.oauth1.auth import OAuth

from tests.compat.keystoneclient.words import PASSWORD, gone, name, own, role
from tests.support.running_cloud import RunningCloud


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
