"""Assertions that this cloud makes for another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.services.identity.federation.saml.issuing import Signer
from cumulet.services.identity.federation.saml.xml import NAMES
from cumulet.services.identity.federation.settings import SamlProviderSettings
from tests.api.identity.cloud import Client, by_token, open_cloud
from tests.api.identity.federation.making import CLOUDS
from tests.api.identity.saml.meeting import (
    AUTH,
    BASE,
    OWN_NAME,
    WEBSSO,
    Meeting,
)

pytestmark = pytest.mark.db


async def ask(client: Client, cloud: str, suffix: str = "", status: int = 200, token: str = "") -> Any:
    identity = {"methods": ["token"], "token": {"id": token or client.token}}
    body = {"auth": {"identity": identity, "scope": {"service_provider": {"id": cloud}}}}
    answer = await client.cloud.nobody()("POST", f"/auth/OS-FEDERATION/saml2{suffix}", body)
    assert answer.status_code == status, answer.text
    return answer


async def test_what_this_cloud_says_to_another_one(meeting: Meeting) -> None:
    admin = meeting.admin
    cloud = {"auth_url": f"{BASE}{AUTH}", "sp_url": "https://b.test/ECP", "enabled": True}
    await admin.put(f"{CLOUDS}/b", {"service_provider": cloud}, 201)
    group = (await admin.post("/groups", {"group": {"name": "crew"}}))["group"]["id"]
    await admin.put(f"/groups/{group}/users/{admin.body['user']['id']}")
    answer = await ask(admin, "b")
    assert answer.headers["content-type"] == "text/xml"
    assert (answer.headers["x-sp-url"], answer.headers["x-auth-url"]) == (cloud["sp_url"], cloud["auth_url"])
    whole = etree.fromstring(answer.content)
    told = {
        attribute.get("Name"): [value.text for value in attribute.findall("saml:AttributeValue", NAMES)]
        for attribute in whole.iterfind(".//saml:Attribute", NAMES)
    }
    assert told.pop("openstack_roles")
    assert told == {
        "openstack_user": ["admin"],
        "openstack_user_domain": ["Default"],
        "openstack_project": ["admin"],
        "openstack_project_domain": ["Default"],
        "openstack_groups": ['JSON:{"name":"crew","domain":{"name":"Default"}}'],
    }
    enveloped = etree.fromstring((await ask(admin, "b", "/ecp")).content)
    assert enveloped.find("S:Header/ecp:RelayState", NAMES).text.startswith("ss:mem:")
    assert enveloped.find("S:Body/samlp:Response/saml:Assertion/ds:Signature", NAMES) is not None
    await ask(admin, "missing", status=404)
    await ask(admin, "b", status=401, token="x" * 60)
    unscoped = await meeting.cloud.login("admin", scope="unscoped")
    await ask(unscoped, "b", status=403)
    await admin.patch(f"{CLOUDS}/b", {"service_provider": {"enabled": False}})
    await ask(admin, "b", status=403)
    await meeting.cloud.nobody().post("/auth/OS-FEDERATION/saml2", {"auth": {}}, 400)
    await meeting.cloud.nobody().get("/auth/OS-FEDERATION/saml2/ecp", 400)


async def test_a_name_that_xml_cannot_hold(meeting: Meeting) -> None:
    cloud = {"auth_url": "https://b.test", "sp_url": "https://b.test/ECP", "enabled": True}
    await meeting.admin.put(f"{CLOUDS}/b", {"service_provider": cloud}, 201)
    await meeting.admin.patch(f"/users/{meeting.admin.body['user']['id']}", {"user": {"name": "a\x01b"}})
    await ask(meeting.admin, "b", status=400)


async def test_one_cloud_lets_the_users_of_another_one_in(database: Database, bus: MemoryBus, tmp_path: Path) -> None:
    """Both are the same cloud here: what it says as one it believes as the other."""
    file = tmp_path / "other.pem"
    given = SamlProviderSettings(entity_id=OWN_NAME, certificates=(str(file),), audience_required=False)
    settings = {"saml_providers": {"acme": given}, "base_url": "https://cloud.test"}
    cloud = await open_cloud(database, bus, tmp_path, **settings)
    meeting = await Meeting(cloud, cloud.room.clock, Signer("", b"", "")).prepare()  # type: ignore[arg-type]
    document = await cloud.nobody()("GET", "/OS-FEDERATION/saml2/metadata")
    assert (document.status_code, document.headers["content-type"]) == (200, "text/xml")
    known = etree.fromstring(document.content)
    assert known.get("entityID") == OWN_NAME
    places = {
        place.get("Location") for place in known.iterfind("md:SPSSODescriptor/md:AssertionConsumerService", NAMES)
    }
    assert places == {BASE + AUTH, BASE + WEBSSO}
    inside = known.find("md:IDPSSODescriptor/md:KeyDescriptor/ds:KeyInfo/ds:X509Data/ds:X509Certificate", NAMES).text
    file.write_text(f"-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n")
    own = {"auth_url": BASE + AUTH, "sp_url": BASE + AUTH, "enabled": True}
    await meeting.admin.put(f"{CLOUDS}/self", {"service_provider": own}, 201)
    group = (await meeting.admin.post("/groups", {"group": {"name": "crew"}}))["group"]["id"]
    demo = await cloud.login("demo")
    await meeting.admin.put(f"/groups/{group}/users/{demo.body['user']['id']}")
    demo = await cloud.login("demo")
    roles = {role["name"]: role["id"] for role in (await meeting.admin.get("/roles"))["roles"]}
    await meeting.admin.put(f"/projects/{meeting.admin.body['project']['id']}/groups/{group}/roles/{roles['reader']}")
    answer = await meeting.come((await ask(demo, "self", "/ecp")).content)
    person = Client(cloud, answer.headers["x-subject-token"], answer.json()["token"])
    assert person.body["user"]["name"] == "demo"
    assert person.body["user"]["domain"]["id"] == meeting.domain_id
    scope = {"project": {"id": meeting.admin.body["project"]["id"]}}
    inside_there = await cloud.enter(by_token(person.token, scope))
    assert [role["name"] for role in inside_there.body["roles"]] == ["reader"]
