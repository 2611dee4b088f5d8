"""The life of services, endpoints and regions, and what of them a token shows."""

from __future__ import annotations

import httpx
import pytest

from tests.api.identity.cloud import Client, Cloud

pytestmark = pytest.mark.db


async def addresses(cloud: Cloud, name: str) -> set[str]:
    me = await cloud.login(name)
    return {endpoint["url"] for entry in me.body["catalog"] for endpoint in entry["endpoints"]}


async def make_service(admin: Client) -> str:
    body = {"service": {"type": "dns", "name": "designate", "motto": "names"}}
    return str((await admin.post("/services", body))["service"]["id"])


async def test_a_service_gets_an_endpoint_and_both_go(cloud: Cloud) -> None:
    admin = await cloud.admin()
    service_id = await make_service(admin)
    assert (await admin.get(f"/services/{service_id}"))["service"]["motto"] == "names"
    body = {"service_id": service_id, "interface": "public", "region": "here", "url": "http://dns/$(tenant_id)s/x"}
    endpoint = (await admin.post("/endpoints", {"endpoint": body}))["endpoint"]
    assert endpoint["region"] == endpoint["region_id"] == "here"
    project_id = (await cloud.login("demo")).body["project"]["id"]
    assert f"http://dns/{project_id}/x" in await addresses(cloud, "demo")
    assert len((await admin.get(f"/endpoints?service_id={service_id}"))["endpoints"]) == 1
    path = f"/endpoints/{endpoint['id']}"
    assert (await admin.patch(path, {"endpoint": {"url": "http://other"}}))["endpoint"]["url"] == "http://other"
    assert "http://other" in await addresses(cloud, "demo")
    await admin.patch(path, {"endpoint": {"enabled": False}})
    assert "http://other" not in await addresses(cloud, "demo")
    await admin.delete("/regions/here", 403)
    await admin.delete(f"/services/{service_id}")
    await admin.get(path, 404)
    await admin.delete("/regions/here")


@pytest.mark.parametrize(
    "endpoint",
    [
        {},
        {"service_id": "none", "interface": "public", "url": "http://x"},
        {"service_id": "{}", "interface": "secret", "url": "http://x"},
        {"service_id": "{}", "interface": "public", "url": "no address"},
        {"service_id": "{}", "interface": "public", "url": "http://x", "region_id": "none"},
        {"service_id": "{}", "interface": "public", "url": "http://x", "enabled": "True"},
    ],
)
async def test_bad_endpoints_are_refused(cloud: Cloud, endpoint: dict) -> None:
    admin = await cloud.admin()
    if endpoint.get("service_id") == "{}":
        endpoint = {**endpoint, "service_id": await make_service(admin)}
    await admin.post("/endpoints", {"endpoint": endpoint}, 400)


async def test_regions_lie_within_regions(cloud: Cloud) -> None:
    admin = await cloud.admin()
    await admin.post("/regions", {"region": {"id": "north", "description": "cold"}})
    await admin.post("/regions", {"region": {"id": "north"}}, 409)
    inner = (await admin.put("/regions/cape", {"region": {"parent_region_id": "north"}}, 201))["region"]
    assert (inner["id"], inner["parent_region_id"]) == ("cape", "north")
    assert [found["id"] for found in (await admin.get("/regions?parent_region_id=north"))["regions"]] == ["cape"]
    await admin.patch("/regions/north", {"region": {"parent_region_id": "cape"}}, 403)
    await admin.delete("/regions/north")
    await admin.get("/regions/cape", 404)


async def test_a_project_that_was_given_endpoints_sees_only_those(cloud: Cloud) -> None:
    admin = await cloud.admin()
    project_id = (await cloud.login("demo")).body["project"]["id"]
    endpoint = (await admin.get("/endpoints?interface=public"))["endpoints"][0]
    path = f"/OS-EP-FILTER/projects/{project_id}/endpoints"
    await admin.put(f"{path}/{endpoint['id']}")
    await admin.get(f"{path}/{endpoint['id']}", 204)
    assert [found["id"] for found in (await admin.get(path))["endpoints"]] == [endpoint["id"]]
    assert len(await addresses(cloud, "demo")) == 1
    assert len(await addresses(cloud, "admin")) == 3
    await admin.delete(f"{path}/{endpoint['id']}")
    group = {"name": "internal ones", "filters": {"interface": "internal"}}
    group_id = (await admin.post("/OS-EP-FILTER/endpoint_groups", {"endpoint_group": group}))["endpoint_group"]["id"]
    given = f"/OS-EP-FILTER/endpoint_groups/{group_id}/projects/{project_id}"
    await admin.put(given)
    assert (await admin.get(given))["endpoint_group"]["id"] == group_id
    me = await cloud.login("demo")
    shown = {endpoint["interface"] for entry in me.body["catalog"] for endpoint in entry["endpoints"]}
    assert shown == {"internal"}
    await admin.delete(given)
    assert len(await addresses(cloud, "demo")) == 3


async def test_policies_are_tied_to_endpoints(cloud: Cloud) -> None:
    admin = await cloud.admin()
    body = {"policy": {"type": "application/json", "blob": {"rule": "@"}}}
    policy = (await admin.post("/policies", body))["policy"]
    assert policy["blob"] == {"rule": "@"}
    path = f"/policies/{policy['id']}/OS-ENDPOINT-POLICY"
    endpoint = (await admin.get("/endpoints"))["endpoints"][0]
    asked = f"/endpoints/{endpoint['id']}/OS-ENDPOINT-POLICY/policy"
    await admin.get(asked, 404)
    await admin.put(f"{path}/services/{endpoint['service_id']}/regions/RegionOne")
    assert (await admin.get(asked))["policy"]["id"] == policy["id"]
    assert len((await admin.get(f"{path}/endpoints"))["endpoints"]) == 3
    await admin.delete(f"{path}/services/{endpoint['service_id']}/regions/RegionOne")
    await admin.put(f"{path}/endpoints/{endpoint['id']}")
    await admin.get(f"{path}/endpoints/{endpoint['id']}", 204)
    await admin.delete(f"/policies/{policy['id']}")
    await admin.get(asked, 404)


async def test_the_version_documents_need_no_token(cloud: Cloud) -> None:
    transport = httpx.ASGITransport(app=cloud.door)
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test") as client:
        every = await client.get("/")
        one = await client.get("/v3")
    assert every.status_code == 300
    assert every.json()["versions"]["values"] == [one.json()["version"]]
    assert one.json()["version"]["links"][0]["href"] == "http://cloud.test/v3/"
