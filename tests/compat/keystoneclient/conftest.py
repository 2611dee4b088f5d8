"""Clients of the library, and a user of their own for each story."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneclient.v3 import client as keystone

from tests.compat.keystoneclient.words import PASSWORD, name, role
from tests.support.running_cloud import RunningCloud


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
