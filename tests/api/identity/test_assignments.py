"""Who has which role where, and how he came to it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity.cloud import PASSWORD, Client, Cloud, by_token

pytestmark = pytest.mark.db


class World:
    """An administrator, a user without roles, a group, a domain with a project in a project, and the roles by name."""

    def __init__(self, admin: Client) -> None:
        self.admin = admin

    async def build(self) -> World:
        admin = self.admin
        self.domain = (await admin.post("/domains", {"domain": {"name": "firm"}}))["domain"]["id"]
        inside = {"domain_id": self.domain}
        eve = {"name": "eve", "password": PASSWORD, **inside}
        self.user = (await admin.post("/users", {"user": eve}))["user"]["id"]
        self.group = (await admin.post("/groups", {"group": {"name": "crew", **inside}}))["group"]["id"]
        self.top = (await admin.post("/projects", {"project": {"name": "top", **inside}}))["project"]["id"]
        low = {"name": "low", "parent_id": self.top, **inside}
        self.low = (await admin.post("/projects", {"project": low}))["project"]["id"]
        self.roles = {role["name"]: role["id"] for role in (await admin.get("/roles"))["roles"]}
        return self

    async def names_in(self, cloud: Cloud, scope: Any) -> set[str]:
        """The user's roles in a token for a scope."""
        me = await cloud.login("eve", scope=scope, domain=self.domain)
        return {role["name"] for role in me.body["roles"]}

    async def effective(self) -> set[tuple[str, str]]:
        """(place, role) of everything the user really has."""
        listed = await self.admin.get(f"/role_assignments?user.id={self.user}&effective&include_names")
        found = set()
        for entry in listed["role_assignments"]:
            assert entry["user"]["id"] == self.user
            scope = entry["scope"]
            place = scope.get("project") or scope.get("domain") or {"name": "system"}
            found.add((place["name"], entry["role"]["name"]))
        return found


@pytest.fixture
async def world(cloud: Cloud) -> World:
    return await World(await cloud.admin()).build()


def project(id_: str) -> dict[str, Any]:
    return {"project": {"id": id_}}


async def test_a_role_is_granted_seen_used_and_withdrawn(cloud: Cloud, world: World) -> None:
    path = f"/projects/{world.top}/users/{world.user}/roles"
    item = f"{path}/{world.roles['member']}"
    await world.admin.get(item, 404)
    await world.admin.put(item)
    await world.admin.put(item)
    await world.admin.get(item, 204)
    assert [role["name"] for role in (await world.admin.get(path))["roles"]] == ["member"]
    me = await cloud.login("eve", scope=project(world.top), domain=world.domain)
    assert {role["name"] for role in me.body["roles"]} == {"member", "reader"}
    await me.get("/auth/projects")
    await world.admin.delete(item)
    await me.get("/auth/projects", 401)
    await world.admin.delete(item, 404)


async def test_a_group_gives_its_roles_to_its_members(cloud: Cloud, world: World) -> None:
    await world.admin.put(f"/projects/{world.top}/groups/{world.group}/roles/{world.roles['reader']}")
    await world.admin.put(f"/groups/{world.group}/users/{world.user}")
    assert await world.names_in(cloud, project(world.top)) == {"reader"}
    assert await world.effective() == {("top", "reader")}
    await world.admin.delete(f"/groups/{world.group}/users/{world.user}")
    assert await world.effective() == set()


async def test_what_is_inherited_counts_below_and_not_where_it_was_given(cloud: Cloud, world: World) -> None:
    role = world.roles["reader"]
    item = f"/OS-INHERIT/projects/{world.top}/users/{world.user}/roles/{role}/inherited_to_projects"
    await world.admin.put(item)
    await world.admin.get(item, 204)
    assert await world.names_in(cloud, project(world.low)) == {"reader"}
    assert await world.effective() == {("low", "reader")}
    listed = await world.admin.get(f"/role_assignments?user.id={world.user}")
    assert listed["role_assignments"][0]["scope"]["OS-INHERIT:inherited_to"] == "projects"
    await world.admin.delete(item)
    of_domain = f"/OS-INHERIT/domains/{world.domain}/users/{world.user}/roles/{role}/inherited_to_projects"
    await world.admin.put(of_domain)
    assert await world.effective() == {("top", "reader"), ("low", "reader")}
    me = await cloud.login("eve", scope="unscoped", domain=world.domain)
    assert {found["name"] for found in (await me.get("/auth/projects"))["projects"]} == {"top", "low"}
    assert (await me.get("/auth/domains"))["domains"] == []


async def test_one_role_implies_another(cloud: Cloud, world: World) -> None:
    body = {"role": {"name": "cook", "domain_id": world.domain}}
    cook = (await world.admin.post("/roles", body))["role"]["id"]
    await world.admin.put(f"/roles/{cook}/implies/{world.roles['member']}", status=201)
    await world.admin.put(f"/projects/{world.top}/users/{world.user}/roles/{cook}")
    # A domain's own role never shows; what it implies does.
    assert await world.names_in(cloud, project(world.top)) == {"member", "reader"}
    inferences = (await world.admin.get("/role_inferences"))["role_inferences"]
    assert {entry["prior_role"]["name"] for entry in inferences} == {"admin", "manager", "member", "cook"}
    await world.admin.put(f"/roles/{world.roles['reader']}/implies/{world.roles['member']}", status=403)
    await world.admin.put(f"/roles/{cook}/implies/{world.roles['admin']}", status=403)
    await world.admin.delete(f"/roles/{cook}/implies/{world.roles['member']}")
    await world.admin.head(f"/roles/{cook}/implies/{world.roles['member']}", 404)


async def test_roles_in_a_domain_and_in_the_system(cloud: Cloud, world: World) -> None:
    await world.admin.put(f"/domains/{world.domain}/users/{world.user}/roles/{world.roles['manager']}")
    me = await cloud.login("eve", scope={"domain": {"id": world.domain}}, domain=world.domain)
    assert me.body["domain"] == {"id": world.domain, "name": "firm"}
    assert [user["name"] for user in (await me.get("/users"))["users"]] == ["eve"]
    await me.post("/users", {"user": {"name": "bob", "domain_id": world.domain}})
    await me.post("/users", {"user": {"name": "bill"}}, 403)  # as in the real service, he has to name his domain
    await me.post("/users", {"user": {"name": "bob", "domain_id": "default"}}, 403)
    item = f"/system/users/{world.user}/roles/{world.roles['reader']}"
    await world.admin.put(item)
    reader = await cloud.enter(by_token(me.token, {"system": {"all": True}}))
    assert len((await reader.get("/users"))["users"]) == 4
    await reader.post("/users", {"user": {"name": "carol"}}, 403)
    await world.admin.delete(item)
    await reader.get("/users", 401)


@pytest.mark.parametrize(
    "query",
    [
        "user.id=a&group.id=b",
        "scope.project.id=a&scope.domain.id=b",
        "effective&group.id=a",
        "include_subtree",
        "scope.OS-INHERIT:inherited_to=domains",
    ],
)
async def test_questions_that_contradict_themselves_are_refused(cloud: Cloud, query: str) -> None:
    await (await cloud.admin()).get(f"/role_assignments?{query}", 400)
