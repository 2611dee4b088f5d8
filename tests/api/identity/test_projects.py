"""The life of projects and domains."""

from __future__ import annotations

import pytest

from tests.api.identity.cloud import Cloud, by_password

pytestmark = pytest.mark.db


async def test_a_project_is_made_seen_changed_and_deleted(cloud: Cloud) -> None:
    admin = await cloud.admin()
    made = (await admin.post("/projects", {"project": {"name": "lab", "colour": "green", "tags": ["b", "a"]}}))[
        "project"
    ]
    assert made["domain_id"] == made["parent_id"] == "default"
    assert made["colour"] == "green"
    assert made["tags"] == ["a", "b"]
    assert made["links"]["self"].endswith(f"/v3/projects/{made['id']}")
    path = f"/projects/{made['id']}"
    assert (await admin.get(path))["project"] == made
    changed = (await admin.patch(path, {"project": {"description": "for trying", "colour": None}}))["project"]
    assert (changed["description"], changed["colour"], changed["name"]) == ("for trying", None, "lab")
    assert [found["name"] for found in (await admin.get("/projects?name=lab"))["projects"]] == ["lab"]
    await admin.delete(path)
    await admin.get(path, 404)


async def test_a_name_is_unique_in_its_domain(cloud: Cloud) -> None:
    admin = await cloud.admin()
    domain = (await admin.post("/domains", {"domain": {"name": "elsewhere"}}))["domain"]
    await admin.post("/projects", {"project": {"name": "lab"}})
    refusal = await admin.post("/projects", {"project": {"name": "lab"}}, 409)
    assert refusal["error"]["title"] == "Conflict"
    await admin.post("/projects", {"project": {"name": "lab", "domain_id": domain["id"]}})


async def test_projects_within_projects(cloud: Cloud) -> None:
    admin = await cloud.admin()
    ids = ["default"]
    for depth in range(5):
        body = {"project": {"name": f"p{depth}", "parent_id": ids[-1]}}
        if depth == 4:
            await admin.post("/projects", {"project": {"name": "p4", "parent_id": ids[-1]}})
            break
        ids.append((await admin.post("/projects", body))["project"]["id"])
    _, top, middle, low, lowest = ids
    shown = (await admin.get(f"/projects/{low}?parents_as_ids&subtree_as_ids"))["project"]
    assert shown["parents"] == {middle: {top: {"default": None}}}
    assert list(shown["subtree"]) == [lowest]
    await admin.delete(f"/projects/{top}", 403)
    await admin.patch(f"/projects/{top}", {"project": {"enabled": False}}, 403)
    await admin.patch(f"/projects/{middle}", {"project": {"parent_id": "default"}}, 400)


async def test_projects_are_found_by_their_tags(cloud: Cloud) -> None:
    admin = await cloud.admin()
    for name, tags in (("one", ["x"]), ("two", ["x", "y"]), ("three", ["Xy"])):
        await admin.post("/projects", {"project": {"name": name, "tags": tags}})

    async def found(query: str) -> set[str]:
        names = {project["name"] for project in (await admin.get(f"/projects?{query}"))["projects"]}
        return names - {"admin", "demo", "service"}

    assert await found("tags=x") == {"one", "two"}
    assert await found("tags=x,y") == {"two"}
    assert await found("tags-any=y,Xy") == {"two", "three"}
    assert await found("not-tags=x") == {"three"}
    assert await found("not-tags-any=x,y") == {"three"}
    assert await found("tags=X") == set()


async def test_a_tag_has_an_address(cloud: Cloud) -> None:
    admin = await cloud.admin()
    project = (await admin.post("/projects", {"project": {"name": "lab"}}))["project"]
    path = f"/projects/{project['id']}/tags"
    await admin.put(f"{path}/red", status=201)
    await admin.get(f"{path}/red", 204)
    await admin.get(f"{path}/blue", 404)
    await admin.put(f"{path}/a%2Cb", status=400)
    assert (await admin.put(path, {"tags": ["green", "blue"]}, 200))["tags"] == ["blue", "green"]
    await admin.delete(f"{path}/green")
    assert (await admin.get(path))["tags"] == ["blue"]
    await admin.delete(path)
    assert (await admin.get(path))["tags"] == []


async def test_a_domain_goes_with_all_that_is_in_it(cloud: Cloud) -> None:
    admin = await cloud.admin()
    domain = (await admin.post("/domains", {"domain": {"name": "firm"}}))["domain"]
    inside = {"domain_id": domain["id"]}
    user = (await admin.post("/users", {"user": {"name": "eve", "password": "x", **inside}}))["user"]
    group = (await admin.post("/groups", {"group": {"name": "g", **inside}}))["group"]
    project = (await admin.post("/projects", {"project": {"name": "p", **inside}}))["project"]
    await admin.delete(f"/domains/{domain['id']}", 403)
    await admin.patch(f"/domains/{domain['id']}", {"domain": {"enabled": False}})
    await cloud.nobody().post("/auth/tokens", by_password("eve", "x", domain=domain["id"]), 401)
    await admin.delete(f"/domains/{domain['id']}")
    for path in (f"/users/{user['id']}", f"/groups/{group['id']}", f"/projects/{project['id']}"):
        await admin.get(path, 404)


async def test_an_immutable_project_is_safe_until_it_is_freed(cloud: Cloud) -> None:
    admin = await cloud.admin()
    body = {"project": {"name": "stone", "options": {"immutable": True}}}
    path = f"/projects/{(await admin.post('/projects', body))['project']['id']}"
    await admin.delete(path, 403)
    await admin.patch(path, {"project": {"name": "sand"}}, 403)
    await admin.patch(path, {"project": {"options": {"immutable": None}}})
    await admin.delete(path)


async def test_disabling_a_project_ends_its_tokens_for_good(cloud: Cloud) -> None:
    admin, me = await cloud.admin(), await cloud.login("demo")
    path = f"/projects/{me.body['project']['id']}"
    await admin.patch(path, {"project": {"enabled": False}})
    await me.get("/auth/projects", 401)
    await admin.patch(path, {"project": {"enabled": True}})
    await me.get("/auth/projects", 401)
    await (await cloud.login("demo")).get("/auth/projects")


@pytest.mark.parametrize(
    "project",
    [
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 65},
        {"name": 5},
        {"name": "a\u0000"},
        {"name": "x", "tags": ["a,b"]},
        {"name": "x", "tags": ["a", "a"]},
        {"name": "x", "options": {"unknown": True}},
        {"name": "x", "enabled": "perhaps"},
    ],
)
async def test_bad_projects_are_refused(cloud: Cloud, project: dict) -> None:
    await (await cloud.admin()).post("/projects", {"project": project}, 400)
