"""People who authenticate elsewhere: how they come, and who they are here."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.api.identity.cloud import by_password, by_token
from tests.api.identity.federation.meeting import (
    Meeting,
    open_meeting,
)

pytestmark = pytest.mark.db


async def test_a_person_comes_chooses_a_project_and_works(meeting: Meeting) -> None:
    person = await meeting.enter()
    user = person.body["user"]
    assert person.body["methods"] == ["openid"]
    assert user["name"] == "j"
    assert user["domain"]["id"] == meeting.provider["domain_id"]
    assert user["OS-FEDERATION"] == {
        "identity_provider": {"id": "acme"},
        "protocol": {"id": "openid"},
        "groups": [{"id": meeting.group}],
    }
    assert not {"project", "roles", "catalog"} & set(person.body)
    for path in ("/auth/projects", "/OS-FEDERATION/projects"):
        assert [project["id"] for project in (await person.get(path))["projects"]] == [meeting.project]
    inside = await meeting.cloud.enter(by_token(person.token, meeting.lab))
    assert [role["name"] for role in inside.body["roles"]] == ["reader"]
    assert inside.body["user"]["OS-FEDERATION"] == user["OS-FEDERATION"]
    assert inside.body["methods"] == ["token", "openid"]
    assert inside.body["audit_ids"][1] == person.body["audit_ids"][0]
    caller = await meeting.cloud.identity.authenticate(inside.token, "")
    assert (caller.user_id, caller.project_id, caller.roles) == (user["id"], meeting.project, ("reader",))
    shown = (await meeting.admin.get(f"/users/{user['id']}"))["user"]
    assert shown["email"] == "j@x.test"
    assert shown["federated"] == [{"idp_id": "acme", "protocols": [{"protocol_id": "openid", "unique_id": "17"}]}]


async def test_the_same_person_is_the_same_user(meeting: Meeting) -> None:
    first = (await meeting.enter()).body["user"]
    again = (await meeting.enter(meeting.token(preferred_username="renamed", email="new@x.test"))).body["user"]
    assert (again["id"], again["name"]) == (first["id"], "renamed")
    namesake = (await meeting.enter(meeting.token(sub="18", preferred_username="renamed"))).body["user"]
    assert namesake["id"] != first["id"]
    listed = await meeting.admin.get(f"/users?domain_id={meeting.provider['domain_id']}")
    assert [(user["name"], user["email"]) for user in listed["users"] if user["id"] == first["id"]] == [
        ("renamed", "new@x.test")
    ]
    for query, found in (
        ("idp_id=acme", 2),
        ("idp_id=acme&protocol_id=openid&unique_id=17", 1),
        ("unique_id=nobody", 0),
        ("idp_id=other", 0),
    ):
        assert len((await meeting.admin.get(f"/users?{query}"))["users"]) == found
    # A shadow that was deleted is made again as it was.
    await meeting.admin.delete(f"/users/{first['id']}")
    assert (await meeting.enter()).body["user"]["id"] == first["id"]


async def test_a_person_who_comes_several_times_at_once(meeting: Meeting) -> None:
    people = await asyncio.gather(*(meeting.enter() for _ in range(6)))
    assert len({person.body["user"]["id"] for person in people}) == 1
    assert len((await meeting.admin.get("/users?idp_id=acme"))["users"]) == 1


async def test_a_shadow_has_no_password(meeting: Meeting) -> None:
    user = (await meeting.enter()).body["user"]
    for words in ({"id": user["id"]}, {"name": "j", "domain": {"id": meeting.provider["domain_id"]}}):
        identity = {"methods": ["password"], "password": {"user": {**words, "password": ""}}}
        await meeting.cloud.nobody().post("/auth/tokens", {"auth": {"identity": identity}}, 401)


async def test_a_user_of_this_cloud_who_comes_from_elsewhere(unprepared: Meeting) -> None:
    local = {"user": {"name": "{0}", "type": "local", "domain": {"name": "Default"}}}
    rules = [{"local": [local, {"group": {"id": "any"}}], "remote": [{"type": "OIDC-preferred_username"}]}]
    meeting = await unprepared.prepare(rules)
    person = await meeting.enter(meeting.token(preferred_username="demo"))
    assert "OS-FEDERATION" not in person.body["user"]
    assert [project["name"] for project in (await person.get("/auth/projects"))["projects"]] == ["demo"]
    await meeting.come(meeting.token(preferred_username="missing"), 401)
    user_id = person.body["user"]["id"]
    await meeting.admin.patch(f"/users/{user_id}", {"user": {"enabled": False}})
    await meeting.come(meeting.token(preferred_username="demo"), 401)


async def test_a_user_who_has_to_prove_himself_twice(unprepared: Meeting) -> None:
    local = {"user": {"name": "{0}", "type": "local", "domain": {"name": "Default"}}}
    meeting = await unprepared.prepare([{"local": [local], "remote": [{"type": "OIDC-preferred_username"}]}])
    users = (await meeting.admin.get("/users?name=demo"))["users"]
    options = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["openid", "password"]]}
    await meeting.admin.patch(f"/users/{users[0]['id']}", {"user": {"options": options}})
    half = await meeting.come(meeting.token(preferred_username="demo"), 401)
    assert half.json()["receipt"]["methods"] == ["openid"]
    receipt = {"openstack-auth-receipt": half.headers["openstack-auth-receipt"]}
    whole = await meeting.cloud.enter(by_password("demo"), receipt)
    assert sorted(whole.body["methods"]) == ["openid", "password"]


async def test_somebody_who_comes_often_stays_active(database: Database, bus: MemoryBus, tmp_path: Path) -> None:
    meeting = await (await open_meeting(database, bus, tmp_path, inactive_days=2)).prepare()
    for _ in range(3):
        await meeting.enter()
        meeting.clock.jump(36 * 3600)
    meeting.clock.jump(36 * 3600)
    await meeting.come(meeting.token(), 401)


async def test_a_user_who_is_tied_to_a_name_elsewhere(meeting: Meeting) -> None:
    federated = [{"idp_id": "acme", "protocols": [{"protocol_id": "openid", "unique_id": "17"}]}]
    body = {"user": {"name": "local", "federated": federated}}
    made = (await meeting.admin.post("/users", body))["user"]
    assert made["federated"] == federated
    assert (await meeting.enter()).body["user"] == {
        "id": made["id"],
        "name": "local",
        "domain": {"id": "default", "name": "Default"},
        "password_expires_at": None,
        "OS-FEDERATION": {
            "identity_provider": {"id": "acme"},
            "protocol": {"id": "openid"},
            "groups": [{"id": meeting.group}],
        },
    }
    await meeting.admin.post("/users", {"user": {"name": "second", "federated": federated}}, 409)
    unknown = [{"idp_id": "acme", "protocols": [{"protocol_id": "missing", "unique_id": "17"}]}]
    for wrong in (unknown, [{"idp_id": "acme", "protocols": []}], [{"idp_id": "acme"}], "acme"):
        await meeting.admin.post("/users", {"user": {"name": "third", "federated": wrong}}, 400)
        await meeting.admin.patch(f"/users/{made['id']}", {"user": {"federated": wrong}}, 400)
    assert (await meeting.admin.get("/users?name=third"))["users"] == []
    await meeting.admin.patch(f"/users/{made['id']}", {"user": {"federated": []}})
    assert "federated" not in (await meeting.admin.get(f"/users/{made['id']}"))["user"]
    assert (await meeting.enter()).body["user"]["id"] != made["id"]
