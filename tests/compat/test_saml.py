"""The official clients, a SAML provider that others wrote, this cloud between them; and this cloud on both sides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest
from keystoneauth1.exceptions import AuthorizationFailure
from keystoneauth1.extras._saml2 import V3Saml2Password
from keystoneauth1.identity.v3 import Keystone2Keystone, Password
from keystoneauth1.session import Session
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from tests.support.running_cloud import DASHBOARD, RunningCloud
from tests.support.saml_server import PASSWORD, PERSON, saml_server

BY_CAMPUS = [
    {
        "local": [
            {"user": {"name": "{0}", "email": "{1}"}},
            {"groups": "{2}", "domain": {"name": "Default"}},
        ],
        "remote": [{"type": "uid"}, {"type": "mail"}, {"type": "MELLON_eduPersonAffiliation"}],
    }
]
BY_CLOUD = [
    {
        "local": [{"user": {"name": "{0} of another cloud"}}, {"groups": "{1}"}],
        "remote": [{"type": "openstack_user"}, {"type": "openstack_groups"}],
    }
]
PLACE = {"project_name": "demo", "project_domain_name": "Default"}


@pytest.fixture(scope="module")
def identity(cloud: RunningCloud) -> Connection:
    config = OpenStackConfig(config_files=[str(cloud.clouds_yaml)], load_envvars=False)
    return Connection(config=config.get_one("cumulet")).identity


def believe(identity: Connection, id_: str, name: str, rules: object, group: str) -> None:
    """Make a provider known, and his group a reader in the project demo."""
    identity.create_identity_provider(id=id_, is_enabled=True, remote_ids=[name])
    identity.create_mapping(id=id_, rules=rules)
    identity.create_federation_protocol(id_, id="saml2", mapping_id=id_)
    made = identity.create_group(name=group)
    identity.assign_project_role_to_group(identity.find_project("demo"), made, identity.find_role("reader"))


@pytest.fixture(scope="module")
def campus(cloud: RunningCloud, identity: Connection) -> Iterator[str]:
    believe(identity, "campus", cloud.campus, BY_CAMPUS, "faculty")
    metadata = httpx.get(f"{cloud.url}/v3/OS-FEDERATION/saml2/metadata").content
    with saml_server(cloud.campus, cloud.folder, metadata):
        yield cloud.campus


def by_password(cloud: RunningCloud, password: str = PASSWORD) -> V3Saml2Password:
    way = {"identity_provider": "campus", "protocol": "saml2", "identity_provider_url": f"{cloud.campus}/ecp"}
    return V3Saml2Password(f"{cloud.url}/identity/v3", **way, username=PERSON, password=password, **PLACE)


def test_a_client_that_understands_ecp_opens_the_cloud(cloud: RunningCloud, campus: str) -> None:
    access = by_password(cloud).get_access(Session())
    assert (access.username, access.project_name, access.role_names) == (PERSON, "demo", ["reader"])
    assert by_password(cloud).get_access(Session()).user_id == access.user_id
    with pytest.raises(AuthorizationFailure):
        by_password(cloud, "wrong").get_access(Session())


def test_a_browser_opens_the_cloud(cloud: RunningCloud, campus: str) -> None:
    way = f"{cloud.url}/v3/auth/OS-FEDERATION/identity_providers/campus/protocols/saml2/websso"
    with httpx.Client() as browser:
        leaving = browser.get(way, params={"origin": DASHBOARD})
        page = browser.get(leaving.headers["location"]).text
        action = re.search(r'action="([^"]+)"', page)
        assert action
        fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page)}
        arrived = browser.post(unescape(action[1]), data=fields)
        assert arrived.status_code == 200, arrived.text
        assert browser.post(unescape(action[1]), data=fields).status_code == 401
    token = re.search(r'name="token" value="([^"]+)"', arrived.text)
    assert token
    mine = httpx.get(f"{cloud.url}/v3/auth/projects", headers={"x-auth-token": token[1]}).json()
    assert [project["name"] for project in mine["projects"]] == ["demo"]


def test_the_users_of_another_cloud_come_in(cloud: RunningCloud, identity: Connection) -> None:
    believe(identity, "itself", f"{cloud.url}/identity/v3/OS-FEDERATION/saml2/idp", BY_CLOUD, "travellers")
    address = f"{cloud.url}/identity/v3/OS-FEDERATION/identity_providers/itself/protocols/saml2/auth"
    identity.create_service_provider(id="itself", auth_url=address, sp_url=address, is_enabled=True)
    user = identity.create_user(name="traveller", password="a suitcase")
    identity.add_user_to_group(user, identity.find_group("travellers"))
    there = {"user_domain_name": "Default", "username": "traveller", "password": "a suitcase"}
    home = Password(f"{cloud.url}/identity/v3", **there, **PLACE)
    access = Keystone2Keystone(home, "itself", **PLACE).get_access(Session(home))
    assert (access.username, access.role_names) == ("traveller of another cloud", ["reader"])
    assert access.user_id != user.id
    assert access.is_federated
