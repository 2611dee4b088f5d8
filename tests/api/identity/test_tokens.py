"""The life of a token."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.errors import Unauthorized
from tests.api.identity.cloud import PASSWORD, TOKEN_PROVIDERS, Cloud, by_password, by_token, open_cloud

pytestmark = [pytest.mark.db, pytest.mark.parametrize("token_provider", TOKEN_PROVIDERS)]

DEMO = {"project": {"name": "demo", "domain": {"id": "default"}}}


async def test_a_token_is_made_seen_and_revoked(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    assert me.body["project"]["name"] == "demo"
    assert {role["name"] for role in me.body["roles"]} == {"member", "reader"}
    assert me.body["methods"] == ["password"]
    assert {entry["type"] for entry in me.body["catalog"]} == {"identity", "compute", "object-store"}
    subject = {"x-subject-token": me.token}
    assert (await me.get("/auth/tokens", headers=subject))["token"] == me.body
    assert "catalog" not in (await me.get("/auth/tokens?nocatalog", headers=subject))["token"]
    await me.head("/auth/tokens", headers=subject)
    await me.delete("/auth/tokens", headers=subject)
    await me.get("/auth/tokens", 401, headers=subject)
    await (await cloud.admin()).get("/auth/tokens", 404, headers=subject)


async def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(cloud: Cloud) -> None:
    nobody = cloud.nobody()
    wrong = await nobody.post("/auth/tokens", by_password("demo", "wrong"), 401)
    assert await nobody.post("/auth/tokens", by_password("who?", "wrong"), 401) == wrong
    assert await nobody.post("/auth/tokens", by_password("demo", domain="no such"), 401) == wrong
    assert (await nobody.post("/auth/tokens", by_password("demo", PASSWORD, {"project": {"id": "none"}}), 401)) == wrong


async def test_a_token_is_exchanged_for_one_elsewhere_and_ends_no_later(cloud: Cloud) -> None:
    unscoped = await cloud.login("admin", scope="unscoped")
    assert "project" not in unscoped.body
    assert "catalog" not in unscoped.body
    assert "roles" not in unscoped.body
    cloud.room.clock.jump(60)
    scoped = await cloud.enter(by_token(unscoped.token, DEMO))
    assert scoped.body["expires_at"] == unscoped.body["expires_at"]
    assert scoped.body["methods"] == ["password", "token"]
    assert scoped.body["audit_ids"][1] == unscoped.body["audit_ids"][0]
    system = await cloud.enter(by_token(scoped.token, {"system": {"all": True}}))
    assert system.body["system"] == {"all": True}
    assert "admin" in {role["name"] for role in system.body["roles"]}
    await cloud.nobody().post("/auth/tokens", by_token(scoped.token, {"domain": {"id": "default"}}), 401)


async def test_a_void_token_is_not_found(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    await me.delete("/auth/tokens", headers={"x-subject-token": me.token})
    await cloud.nobody().post("/auth/tokens", by_token(me.token), 404)


async def test_a_token_that_another_process_revoked_a_moment_ago_makes_no_new_one(
    cloud: Cloud, database: Database, tmp_path: Path, token_provider: str
) -> None:
    deaf, clock = MemoryBus(), cloud.room.clock
    other = await open_cloud(database, deaf, tmp_path, clock=clock, token_provider=token_provider)
    me = await cloud.login("demo")
    again = by_token(me.token, DEMO)
    young = await other.enter(again)
    clock.jump(0.1)
    await me.delete("/auth/tokens", headers={"x-subject-token": me.token})
    clock.jump(0.1)
    nobody, user = other.nobody(), me.body["user"]["id"]
    await nobody.post("/auth/tokens", again, 401)
    admin = await cloud.admin()
    await admin.patch(f"/users/{user}", {"user": {"password": "somebody knew the old one"}})
    clock.jump(0.1)
    await nobody.post("/auth/tokens", by_token(young.token, DEMO), 401)


async def test_a_token_ends(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    assert (await cloud.identity.authenticate(me.token, "")).user_name == "demo"
    cloud.room.clock.jump(3601)
    with pytest.raises(Unauthorized):
        await cloud.identity.authenticate(me.token, "")
    subject = {"x-subject-token": me.token}
    admin = await cloud.admin()
    await admin.get("/auth/tokens", 404, headers=subject)
    assert (await admin.get("/auth/tokens?allow_expired=1", headers=subject))["token"] == me.body


async def test_a_token_seen_before_costs_no_query(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    caller = await cloud.identity.authenticate(me.token, "")
    await cloud.room.database.close()
    assert await cloud.identity.authenticate(me.token, "") is caller


async def test_an_exchanged_token_knows_what_changed_since_the_one_before(cloud: Cloud) -> None:
    admin = await cloud.admin()
    me = await cloud.login("demo")
    again = by_token(me.token, DEMO)
    assert {role["name"] for role in (await cloud.enter(again)).body["roles"]} == {"member", "reader"}
    demo, user = me.body["project"]["id"], me.body["user"]["id"]
    roles = {role["name"]: role["id"] for role in (await admin.get("/roles"))["roles"]}
    await admin.put(f"/projects/{demo}/users/{user}/roles/{roles['manager']}")
    assert "manager" in {role["name"] for role in (await cloud.enter(again)).body["roles"]}
    # The name means another project by now, where he has no role.
    await admin.patch(f"/projects/{demo}", {"project": {"name": "old"}})
    other = (await admin.post("/projects", {"project": {"name": "demo"}}))["project"]["id"]
    nobody = cloud.nobody()
    await nobody.post("/auth/tokens", again, 401)
    await admin.put(f"/projects/{other}/users/{user}/roles/{roles['reader']}")
    exchanged = await cloud.enter(again)
    assert exchanged.body["project"]["id"] == other
    await admin.delete("/auth/tokens", headers={"x-subject-token": me.token})
    await nobody.post("/auth/tokens", again, 404)
    await admin.patch(f"/users/{user}", {"user": {"enabled": False}})
    await nobody.post("/auth/tokens", by_token(exchanged.token, DEMO), 404)


async def test_a_project_may_come_under_the_name_of_its_domain(cloud: Cloud) -> None:
    admin = await cloud.admin()
    domain = (await admin.post("/domains", {"domain": {"name": "shop"}}))["domain"]["id"]
    roles = {role["name"]: role["id"] for role in (await admin.get("/roles"))["roles"]}
    place = by_token(admin.token, {"project": {"name": "shop", "domain": {"name": "shop"}}})
    me = admin.body["user"]["id"]
    await admin.put(f"/projects/{domain}/users/{me}/roles/{roles['admin']}")
    assert (await cloud.enter(place)).body["project"]["id"] == domain
    made = {"project": {"name": "shop", "domain_id": domain}}
    project = (await admin.post("/projects", made))["project"]["id"]
    await cloud.nobody().post("/auth/tokens", place, 401)
    await admin.put(f"/projects/{project}/users/{me}/roles/{roles['admin']}")
    assert (await cloud.enter(place)).body["project"]["id"] == project


@pytest.mark.parametrize(
    "text",
    ["", "x", "gAAAAA" + "x" * 180, "ü" * 50, "a" * 100_000, "a" * 32, "a.b.c", "e30.e30." + "x" * 86, "." * 100],
)
async def test_what_is_no_token_is_refused(cloud: Cloud, text: str) -> None:
    with pytest.raises(Unauthorized):
        await cloud.identity.authenticate(text, "")


@pytest.mark.parametrize(
    "auth",
    [
        {},
        {"identity": {}},
        {"identity": {"methods": []}},
        {"identity": {"methods": ["password"]}},
        {"identity": {"methods": ["password"], "password": {"user": {"name": "demo", "password": "x"}}}},
        {"identity": {"methods": ["token"], "token": {"id": 5}}},
        {"identity": {"methods": ["token"], "token": {"id": "x"}}, "scope": 5},
    ],
)
async def test_a_body_that_says_too_little_is_refused(cloud: Cloud, auth: dict) -> None:
    assert "error" in await cloud.nobody().post("/auth/tokens", {"auth": auth}, 400)
