"""The official clients, an OpenID Connect provider that others wrote, and this cloud between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx
import pytest
from keystoneauth1.exceptions import HttpError
from keystoneauth1.identity.v3 import OidcAccessToken, OidcClientCredentials, OidcPassword
from keystoneauth1.session import Session
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from tests.support.openid_server import CLIENTS, PASSWORD, PERSON, openid_server
from tests.support.running_cloud import DASHBOARD, RunningCloud

REMOTE = ("OIDC-sub", "HTTP_OIDC_PREFERRED_USERNAME", "OIDC_CLAIM_email", "OIDC-groups")
RULES = [
    {
        "local": [
            {"user": {"id": "{0}", "name": "{1}", "email": "{2}"}},
            {"groups": "{3}", "domain": {"name": "Default"}},
        ],
        "remote": [{"type": name} for name in REMOTE],
    },
    {
        "local": [
            {"user": {"name": "{0}"}},
            {"group": {"name": "mathematicians", "domain": {"name": "Default"}}},
        ],
        "remote": [{"type": "OIDC-client_id"}, {"type": "OIDC-client_id", "any_one_of": ["robot"]}],
    },
]
WAY = {"identity_provider": "acme", "protocol": "openid"}
PLACE = {"project_name": "demo", "project_domain_name": "Default"}


@pytest.fixture(scope="module")
def websso(cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The provider, whom the cloud knows, and whose mathematicians may read in the project demo. It returns browsers to
    this address."""
    config = OpenStackConfig(config_files=[str(cloud.clouds_yaml)], load_envvars=False)
    identity = Connection(config=config.get_one("cumulet")).identity
    identity.create_identity_provider(id="acme", is_enabled=True, remote_ids=[cloud.issuer])
    identity.create_mapping(id="acme", rules=RULES)
    identity.create_federation_protocol("acme", id="openid", mapping_id="acme")
    group = identity.create_group(name="mathematicians")
    identity.assign_project_role_to_group(identity.find_project("demo"), group, identity.find_role("reader"))
    address = f"{cloud.url}/identity/v3/auth/OS-FEDERATION/identity_providers/acme/protocols/openid/websso"
    with openid_server(cloud.issuer, tmp_path_factory.mktemp("provider"), address):
        yield address


def by_password(cloud: RunningCloud, password: str = PASSWORD) -> OidcPassword:
    return OidcPassword(
        f"{cloud.url}/identity/v3",
        **WAY,
        **PLACE,
        client_id="shell",
        client_secret=CLIENTS["shell"],
        discovery_endpoint=f"{cloud.issuer}/.well-known/openid-configuration",
        scope="openid profile email",
        username=PERSON,
        password=password,
    )


def test_a_password_at_the_provider_opens_the_cloud(cloud: RunningCloud, websso: str) -> None:
    plugin = by_password(cloud)
    person = Connection(session=Session(plugin))
    access = plugin.get_access(person.session)
    assert (access.username, access.project_name, access.role_names) == (PERSON, "demo", ["reader"])
    assert access.is_federated
    assert list(person.compute.servers()) == []
    assert person.identity.get_user(access.user_id).email == "ada@x.test"
    again = by_password(cloud)
    assert again.get_access(Session()).user_id == access.user_id
    with pytest.raises(HttpError):
        by_password(cloud, "wrong").get_access(Session())


def test_a_program_opens_the_cloud_as_itself(cloud: RunningCloud, websso: str) -> None:
    plugin = OidcClientCredentials(
        f"{cloud.url}/identity/v3",
        **WAY,
        **PLACE,
        client_id="robot",
        client_secret=CLIENTS["robot"],
        access_token_endpoint=f"{cloud.issuer}/token/",
        scope="openid",
    )
    access = plugin.get_access(Session())
    assert (access.username, access.role_names) == ("robot", ["reader"])


def test_a_token_of_the_provider_opens_the_cloud(cloud: RunningCloud, websso: str) -> None:
    form = {"grant_type": "password", "username": PERSON, "password": PASSWORD, "scope": "openid profile email"}
    given = httpx.post(f"{cloud.issuer}/token/", data=form, auth=("shell", CLIENTS["shell"])).json()["access_token"]
    plugin = OidcAccessToken(f"{cloud.url}/identity/v3", **WAY, access_token=given, **PLACE)
    assert plugin.get_access(Session()).username == PERSON
    broken = OidcAccessToken(f"{cloud.url}/identity/v3", **WAY, access_token=given[:-6] + "AAAAAA", **PLACE)
    with pytest.raises(HttpError) as refused:
        broken.get_access(Session())
    assert refused.value.http_status == 401


def test_a_browser_opens_the_cloud(cloud: RunningCloud, websso: str) -> None:
    with httpx.Client() as browser:
        leaving = browser.get(f"{cloud.url}/v3/auth/OS-FEDERATION/websso/openid", params={"origin": DASHBOARD})
        assert leaving.status_code == 302
        asked = browser.get(leaving.headers["location"])
        login = urljoin(cloud.issuer, asked.headers["location"])
        entered = browser.post(login, data={"username": PERSON, "password": PASSWORD})
        agreed = browser.get(urljoin(cloud.issuer, entered.headers["location"]))
        assert agreed.headers["location"].startswith(websso)
        page = browser.get(agreed.headers["location"])
    assert page.status_code == 200, page.text
    token = re.search(r'name="token" value="([^"]+)"', page.text)
    assert token
    assert f'action="{DASHBOARD}"' in page.text
    mine = httpx.get(f"{cloud.url}/v3/auth/projects", headers={"x-auth-token": token[1]}).json()
    assert [project["name"] for project in mine["projects"]] == ["demo"]
