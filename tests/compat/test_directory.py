"""People who are kept in a directory, in the running program: its loop and its sockets are not those of other tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from keystoneauth1 import session
from keystoneauth1.exceptions import http as refusals
from keystoneauth1.identity import v3
from keystoneclient.v3 import client as keystone

from tests.support.patience import HANG_SECONDS
from tests.support.running_cloud import RunningCloud
from tests.support.servers import Directory, free_port, openldap

BASE = "dc=example,dc=org"


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with openldap() as running:
        yield running


def enter(cloud: RunningCloud, **how: Any) -> Any:
    auth = v3.Password(f"{cloud.url}/identity/v3", **how)
    return keystone.Client(session=session.Session(auth=auth), interface="public")


def doctor(cloud: RunningCloud) -> str:
    command = [sys.executable, "-m", "cumulet", "doctor", "--state", str(cloud.clouds_yaml.parent)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_SECONDS, check=False).stdout


def test_a_login_from_a_directory(cloud: RunningCloud, directory: Directory) -> None:
    at_home = {"user_domain_id": "default", "project_domain_id": "default", "project_name": "admin"}
    admin = enter(cloud, username="admin", password=cloud.password, **at_home)
    domain = admin.domains.create("corp")
    reader = {"user": f"cn=reader,{BASE}", "password": "reading", "suffix": BASE, "user_name_attribute": "uid"}
    secret = {"url": directory.url, "use_tls": True, "tls_cacertfile": str(directory.ca)}
    admin.domain_configs.create(domain, {"identity": {"driver": "ldap"}, "ldap": {**reader, **secret}})
    users = {user.name: user for user in admin.users.list(domain=domain)}
    assert set(users) == {"alice", "bob", "carol", "d*(ve)"}
    project = admin.projects.create("corp", domain)
    (developers,) = admin.groups.list(domain=domain, name="Developers")
    admin.roles.grant(admin.roles.find(name="member"), group=developers, project=project)

    alice = enter(cloud, username="alice", password="wonderland", user_domain_name="corp", project_id=project.id)
    assert alice.session.get_user_id() == users["alice"].id
    assert [found.id for found in alice.auth.projects()] == [project.id]
    with pytest.raises(refusals.Unauthorized):
        enter(cloud, username="alice", password="x", user_domain_name="corp").session.get_token()
    with pytest.raises(refusals.Forbidden, match="only read here"):
        admin.users.delete(users["alice"])

    assert f"ok       Directory of domain {domain.id}: 4 users, 2 groups" in doctor(cloud)

    broken = (
        ({"tls_cacertfile": "/nowhere"}, "tls_cacertfile"),
        ({"tls_cacertfile": None}, "certificate"),
        ({"url": f"ldap://127.0.0.1:{free_port()}"}, "cannot be reached"),
    )
    for options, why in broken:
        admin.domain_configs.update(domain, {"ldap": options})
        with pytest.raises(refusals.ServiceUnavailable, match=why):
            admin.users.list(domain=domain)
    assert f"note     Directory of domain {domain.id}: The users of this domain are kept elsewhere" in doctor(cloud)
    assert alice.auth.projects()  # a token goes on with what was known
