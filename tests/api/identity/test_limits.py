"""The life of limits, and of a domain's own configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.core.access.quota import Allowance
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.api.identity.cloud import Client, Cloud, open_cloud

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


async def test_in_the_strict_model_a_domain_bounds_its_projects(
    database: Database, bus: MemoryBus, tmp_path: Path
) -> None:
    cloud = await open_cloud(database, bus, tmp_path, limit_model="strict_two_level")
    admin = await cloud.admin()
    assert (await admin.get("/limits/model"))["model"]["name"] == "strict_two_level"
    domain = (await admin.post("/domains", {"domain": {"name": "firm"}}))["domain"]["id"]
    projects = [await _project(admin, domain, name) for name in ("left", "right")]
    below = {"name": "below", "domain_id": domain, "parent_id": projects[0]}
    refused = await admin.post("/projects", {"project": below}, 403)
    assert "nested 1 deep" in refused["error"]["message"]

    about = {"service_id": await compute_id(admin), "resource_name": "servers"}
    await admin.post("/registered_limits", {"registered_limits": [{**about, "default_limit": 10}]})
    await _limit(admin, {**about, "project_id": projects[0], "resource_limit": 11}, 403)
    at_most = await _limit(admin, {**about, "domain_id": domain, "resource_limit": 20})
    own = await _limit(admin, {**about, "project_id": projects[0], "resource_limit": 15})
    await admin.patch(f"/limits/{own}", {"limit": {"resource_limit": -1}}, 403)
    refused = await admin.patch(f"/limits/{at_most}", {"limit": {"resource_limit": 14}}, 403)
    assert projects[0] in refused["error"]["message"]
    assert (await admin.get(f"/limits/{at_most}"))["limit"]["resource_limit"] == 20

    allowance = await cloud.identity.allowance("compute", projects[0])
    assert allowance == Allowance({"servers": 15}, {"servers": 20}, allowance.among, domain)
    assert set(allowance.among) == set(projects)
    assert (await cloud.identity.allowance("compute", projects[1])).own == {"servers": 10}
    assert await cloud.identity.allowance("image", projects[0]) == Allowance({})


async def test_a_limit_of_this_region_counts_before_one_of_all(cloud: Cloud) -> None:
    admin = await cloud.admin()
    project = str((await cloud.login("demo")).body["project"]["id"])
    await admin.post("/regions", {"region": {"id": "Elsewhere"}})
    for region, limit in ((None, 1), ("RegionOne", 2), ("Elsewhere", 3)):
        wish = {"service_id": await compute_id(admin), "resource_name": "servers", "default_limit": limit}
        await admin.post("/registered_limits", {"registered_limits": [{**wish, "region_id": region}]})
    assert (await cloud.identity.allowance("compute", project)).own == {"servers": 2}
    assert (await cloud.identity.allowance("compute", "nobody")).own == {"servers": 2}


async def _project(admin: Client, domain: str, name: str) -> str:
    return str((await admin.post("/projects", {"project": {"name": name, "domain_id": domain}}))["project"]["id"])


async def _limit(admin: Client, wish: dict[str, object], status: int = 201) -> str:
    made = await admin.post("/limits", {"limits": [wish]}, status)
    return str(made["limits"][0]["id"]) if status == 201 else ""
