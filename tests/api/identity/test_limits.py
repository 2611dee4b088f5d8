"""The life of limits, and of a domain's own configuration."""

from __future__ import annotations

import pytest

from tests.api.identity.cloud import Client, Cloud

pytestmark = pytest.mark.db


async def compute_id(admin: Client) -> str:
    return str((await admin.get("/services?type=compute"))["services"][0]["id"])


async def test_a_registered_limit_is_overridden_for_one_project(cloud: Cloud) -> None:
    admin, me = await cloud.admin(), await cloud.login("demo")
    wish = {"service_id": await compute_id(admin), "resource_name": "cores", "default_limit": 20}
    made = (await admin.post("/registered_limits", {"registered_limits": [wish]}))["registered_limits"][0]
    await admin.post("/registered_limits", {"registered_limits": [wish]}, 409)
    own = {"project_id": me.body["project"]["id"], "resource_limit": 40}
    body = {"limits": [{"service_id": wish["service_id"], "resource_name": "cores", **own}]}
    await admin.post("/limits", {"limits": [{**body["limits"][0], "resource_name": "disks"}]}, 403)
    await admin.post("/limits", {"limits": [{**body["limits"][0], "domain_id": "default"}]}, 400)
    limit = (await admin.post("/limits", body))["limits"][0]
    await admin.post("/limits", body, 409)
    assert [found["id"] for found in (await me.get("/limits"))["limits"]] == [limit["id"]]
    await me.get(f"/limits/{limit['id']}")
    stranger = await cloud.login("admin", scope={"project": {"name": "admin", "domain": {"id": "default"}}})
    await stranger.get(f"/limits/{limit['id']}")
    path = f"/limits/{limit['id']}"
    assert (await admin.patch(path, {"limit": {"resource_limit": 50}}))["limit"]["resource_limit"] == 50
    await admin.delete(f"/registered_limits/{made['id']}", 403)
    await admin.delete(path)
    await admin.delete(f"/registered_limits/{made['id']}")
    assert (await me.get("/limits/model"))["model"]["name"] == "flat"


async def test_a_domain_has_options_of_its_own(cloud: Cloud) -> None:
    admin = await cloud.admin()
    domain = (await admin.post("/domains", {"domain": {"name": "firm"}}))["domain"]
    path = f"/domains/{domain['id']}/config"
    await admin.get(path, 404)
    config = {"ldap": {"url": "ldap://there", "password": "secret"}, "identity": {"driver": "ldap"}}
    shown = (await admin.put(path, {"config": config}, 201))["config"]
    assert shown == {"ldap": {"url": "ldap://there"}, "identity": {"driver": "ldap"}}
    assert (await admin.get(f"{path}/ldap/url"))["config"] == {"url": "ldap://there"}
    changed = await admin.patch(f"{path}/ldap", {"config": {"ldap": {"url": "ldap://here"}}})
    assert changed["config"]["ldap"]["url"] == "ldap://here"
    await admin.patch(f"{path}/ldap", {"config": {"identity": {"driver": "sql"}}}, 403)
    await admin.patch(path, {"config": {"secrets": {"a": 1}}}, 403)
    await admin.patch(path, {"config": {"ldap": {"nonsense": 1}}}, 403)
    await admin.delete(f"{path}/ldap/url")
    await admin.get(f"{path}/ldap/url", 404)
    await admin.delete(path)
    await admin.get(path, 404)
    assert (await admin.get("/domains/config/ldap/url/default"))["config"] == {"url": "ldap://localhost"}
    assert "password" not in (await admin.get("/domains/config/default"))["config"]["ldap"]


async def test_everybody_may_know_what_a_password_must_look_like(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    shown = (await me.get("/domains/default/config/security_compliance"))["config"]
    assert shown == {"security_compliance": {"password_regex": None, "password_regex_description": None}}
