"""Those who vouch for people, what is believed of them, and the clouds that believe this one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity.cloud import Cloud
from tests.api.identity.federation.making import CLOUDS, MAPPINGS, NAMED, PROVIDERS, make_mapping, make_provider

pytestmark = pytest.mark.db
BASE = "http://cloud.test/v3/OS-FEDERATION"


async def test_the_life_of_an_identity_provider(cloud: Cloud) -> None:
    admin = await cloud.admin()
    made = await make_provider(admin, "acme")
    domain_id = made.pop("domain_id")
    assert made == {
        "id": "acme",
        "enabled": False,
        "description": "",
        "authorization_ttl": None,
        "remote_ids": [],
        "links": {"self": f"{BASE}/identity_providers/acme", "protocols": f"{BASE}/identity_providers/acme/protocols"},
    }
    assert (await admin.get(f"/domains/{domain_id}"))["domain"]["enabled"]
    await make_provider(admin, "acme", 409)
    change = {"enabled": True, "remote_ids": ["https://idp.test", "b"], "authorization_ttl": 5, "description": "us"}
    changed = (await admin.patch(f"{PROVIDERS}/acme", {"identity_provider": change}))["identity_provider"]
    assert changed == made | change | {"domain_id": domain_id}
    assert (await admin.get(f"{PROVIDERS}/acme"))["identity_provider"] == changed
    await make_provider(admin, "other", description="off")
    listed = await admin.get(PROVIDERS)
    assert [row["id"] for row in listed["identity_providers"]] == ["acme", "other"]
    assert listed["links"]["self"] == f"{BASE}/identity_providers"
    for query, found in (("id=other", ["other"]), ("enabled=true", ["acme"]), ("enabled=false&id=acme", [])):
        rows = (await admin.get(f"{PROVIDERS}?{query}"))["identity_providers"]
        assert [row["id"] for row in rows] == found
    await admin.delete(f"{PROVIDERS}/acme")
    await admin.get(f"{PROVIDERS}/acme", 404)
    await admin.get(f"/domains/{domain_id}")
    await make_provider(admin, "third", remote_ids=["https://idp.test"])


async def test_what_an_identity_provider_cannot_be(cloud: Cloud) -> None:
    admin = await cloud.admin()
    await make_provider(admin, "acme", domain_id="default", remote_ids=["a"])
    before = len((await admin.get("/domains"))["domains"])
    await make_provider(admin, "second", 409, domain_id="default")
    await make_provider(admin, "second", 409, remote_ids=["b", "a"])
    await make_provider(admin, "second", 404, domain_id="missing")
    await make_provider(admin, "second", 400, remote_ids=["b", "b"])
    await make_provider(admin, "second", 400, authorization_ttl=-1)
    await make_provider(admin, "second", 400, authorization_ttl="soon")
    await make_provider(admin, "second", 400, enabled="perhaps")
    await make_provider(admin, "second", 400, colour="red")
    await make_provider(admin, "x" * 65, 400)
    assert [row["id"] for row in (await admin.get(PROVIDERS))["identity_providers"]] == ["acme"]
    assert len((await admin.get("/domains"))["domains"]) == before
    for change in ({"domain_id": "default"}, {}, {"remote_ids": "a"}):
        await admin.patch(f"{PROVIDERS}/acme", {"identity_provider": change}, 400)
    await admin.patch(f"{PROVIDERS}/missing", {"identity_provider": {"enabled": True}}, 404)


async def test_the_life_of_a_protocol(cloud: Cloud) -> None:
    admin = await cloud.admin()
    await make_provider(admin, "acme")
    await make_mapping(admin, "first")
    await make_mapping(admin, "second")
    path = f"{PROVIDERS}/acme/protocols"
    body = {"protocol": {"mapping_id": "first", "remote_id_attribute": "HTTP_OIDC_ISS"}}
    made = (await admin.put(f"{path}/openid", body, 201))["protocol"]
    url = f"{BASE}/identity_providers/acme"
    links = {"self": f"{url}/protocols/openid", "identity_provider": url}
    assert made == {"id": "openid", **body["protocol"], "links": links}
    await admin.put(f"{path}/openid", body, 409)
    await admin.put(f"{path}/saml2", {"protocol": {"mapping_id": "missing"}}, 400)
    await admin.put(f"{path}/saml2", {"protocol": {}}, 400)
    await admin.put(f"{PROVIDERS}/missing/protocols/openid", body, 404)
    await admin.patch(f"{path}/openid", {"protocol": {"mapping_id": "missing"}}, 400)
    changed = (await admin.patch(f"{path}/openid", {"protocol": {"mapping_id": "second"}}))["protocol"]
    assert changed == made | {"mapping_id": "second"}
    assert (await admin.get(f"{path}/openid"))["protocol"] == changed
    listed = await admin.get(path)
    assert listed["protocols"] == [changed | {"idp_id": "acme"}]
    assert listed["links"]["self"] == f"{url}/protocols"
    await admin.get(f"{PROVIDERS}/missing/protocols", 404)
    await admin.delete(f"{path}/openid")
    await admin.get(f"{path}/openid", 404)
    await admin.put(f"{path}/openid", body, 201)
    await admin.delete(f"{PROVIDERS}/acme")
    await make_provider(admin, "acme")
    assert (await admin.get(path))["protocols"] == []


async def test_the_life_of_a_mapping(cloud: Cloud) -> None:
    admin = await cloud.admin()
    made = await make_mapping(admin, "m")
    links = {"self": f"{BASE}/mappings/m"}
    assert made == {"id": "m", "rules": NAMED, "schema_version": "1.0", "links": links}
    await make_mapping(admin, "m", status=409)
    rules = [{"local": [{"group": {"id": "g"}}], "remote": [{"type": "x", "any_one_of": ["a+"], "regex": True}]}]
    body = {"mapping": {"rules": rules, "schema_version": "2.0"}}
    changed = (await admin.patch(f"{MAPPINGS}/m", body))["mapping"]
    assert changed == {"id": "m", "rules": rules, "schema_version": "2.0", "links": links}
    assert (await admin.get(MAPPINGS))["mappings"] == [changed]
    await admin.patch(f"{MAPPINGS}/m", {"mapping": {"schema_version": "1.0"}}, 400)
    await admin.delete(f"{MAPPINGS}/m")
    await admin.get(f"{MAPPINGS}/m", 404)
    await admin.patch(f"{MAPPINGS}/m", body, 404)


REMOTE = {"type": "x"}
USER = {"user": {"name": "x"}}


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ([], "rules"),
        ("text", "rules"),
        ([{"local": [USER]}], "rules[0]"),
        ([{"local": [USER], "remote": []}], "remote"),
        ([{"local": [USER], "remote": [{"any_one_of": ["a"]}]}], "type"),
        ([{"local": [USER], "remote": [REMOTE], "extra": 1}], "extra"),
        ([{"local": [{"user": {"colour": "red"}}], "remote": [REMOTE]}], "colour"),
        ([{"local": [{"user": {"type": "strange"}}], "remote": [REMOTE]}], "strange"),
        ([{"local": [{"group": {}}], "remote": [REMOTE]}], "group"),
        ([{"local": [{"group": {"name": "g"}}], "remote": [REMOTE]}], "group"),
        ([{"local": [{"group": {"id": "g", "name": "g"}}], "remote": [REMOTE]}], "group"),
        ([{"local": [{"groups": ["a"]}], "remote": [REMOTE]}], "groups"),
        ([{"local": [{"projects": [{"name": "p"}]}], "remote": [REMOTE]}], "roles"),
        ([{"local": [{"projects": [{"name": "p", "roles": [{}]}]}], "remote": [REMOTE]}], "name"),
        ([{"local": [USER], "remote": [{**REMOTE, "any_one_of": [], "not_any_of": []}]}], "not_any_of"),
        ([{"local": [USER], "remote": [{**REMOTE, "whitelist": [], "blacklist": []}]}], "blacklist"),
        ([{"local": [USER], "remote": [{**REMOTE, "regex": True}]}], "regex"),
        ([{"local": [USER], "remote": [{**REMOTE, "any_one_of": ["("], "regex": True}]}], "any_one_of"),
    ],
)
async def test_rules_that_are_none(cloud: Cloud, rules: Any, named: str) -> None:
    refused = await make_mapping(await cloud.admin(), "m", rules, 400)
    assert named in refused["error"]["message"]


async def test_an_unknown_schema_is_refused(cloud: Cloud) -> None:
    await make_mapping(await cloud.admin(), "m", status=400, schema_version="9.0")


async def test_the_life_of_a_service_provider(cloud: Cloud) -> None:
    admin = await cloud.admin()
    body = {"auth_url": "https://b.test/v3/OS-FEDERATION/x", "sp_url": "https://b.test/ECP"}
    made = (await admin.put(f"{CLOUDS}/b", {"service_provider": body}, 201))["service_provider"]
    rest = {"description": "", "enabled": False, "relay_state_prefix": "ss:mem:"}
    assert made == {"id": "b", **body, **rest, "links": {"self": f"{BASE}/service_providers/b"}}
    await admin.put(f"{CLOUDS}/b", {"service_provider": body}, 409)
    for wrong in ({}, body | {"auth_url": "nowhere"}, body | {"sp_url": "nowhere"}, body | {"colour": "red"}):
        await admin.put(f"{CLOUDS}/c", {"service_provider": wrong}, 400)
    assert "service_providers" not in (await cloud.admin()).body
    change = {"service_provider": {"enabled": True, "relay_state_prefix": "x:", "description": "there"}}
    changed = (await admin.patch(f"{CLOUDS}/b", change))["service_provider"]
    assert changed == made | change["service_provider"]
    assert (await cloud.admin()).body["service_providers"] == [{"id": "b", **body}]
    for query, found in (("enabled=false", []), ("id=b", ["b"]), ("id=c", [])):
        rows = (await admin.get(f"{CLOUDS}?{query}"))["service_providers"]
        assert [row["id"] for row in rows] == found
    await admin.patch(f"{CLOUDS}/b", {"service_provider": {}}, 400)
    await admin.patch(f"{CLOUDS}/b", {"service_provider": {"auth_url": "nowhere"}}, 400)
    await admin.delete(f"{CLOUDS}/b")
    await admin.get(f"{CLOUDS}/b", 404)
    assert "service_providers" not in (await cloud.admin()).body
