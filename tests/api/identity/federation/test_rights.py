"""What somebody who came from elsewhere may do, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity.cloud import by_token
from tests.api.identity.federation.making import MAPPINGS, PROVIDERS
from tests.api.identity.federation.meeting import (
    Meeting,
)

pytestmark = pytest.mark.db


@pytest.mark.parametrize("method", ["mapped", "openid", "saml2", "token"])
async def test_the_token_is_exchanged_by_every_name_of_the_method(meeting: Meeting, method: str) -> None:
    person = await meeting.enter()
    identity: dict[str, Any] = {"methods": [method], method: {"id": person.token}}
    inside = await meeting.cloud.enter({"auth": {"identity": identity, "scope": meeting.lab}})
    assert inside.body["project"]["id"] == meeting.project
    if method != "token":
        identity[method] = {"id": meeting.admin.token}
        await meeting.cloud.nobody().post("/auth/tokens", {"auth": {"identity": identity}}, 401)


async def test_scopes_of_federated_tokens(meeting: Meeting) -> None:
    roles = {role["name"]: role["id"] for role in (await meeting.admin.get("/roles"))["roles"]}
    person = await meeting.enter()
    await meeting.cloud.nobody().post("/auth/tokens", by_token(person.token, {"domain": {"id": "default"}}), 401)
    await meeting.admin.put(f"/domains/default/groups/{meeting.group}/roles/{roles['reader']}")
    await meeting.admin.put(f"/system/groups/{meeting.group}/roles/{roles['reader']}")
    domain = await meeting.cloud.enter(by_token(person.token, {"domain": {"id": "default"}}))
    assert domain.body["user"]["OS-FEDERATION"]["groups"] == [{"id": meeting.group}]
    await domain.get("/auth/domains")
    # A token for the system carries no groups, so these do not count for it.
    await meeting.cloud.nobody().post("/auth/tokens", by_token(person.token, {"system": {"all": True}}), 401)
    await meeting.admin.put(f"/system/users/{person.body['user']['id']}/roles/{roles['reader']}")
    system = await meeting.cloud.enter(by_token((await meeting.enter()).token, {"system": {"all": True}}))
    assert "OS-FEDERATION" not in system.body["user"]
    await system.get("/services")


async def test_projects_and_roles_that_a_login_makes(unprepared: Meeting) -> None:
    projects = [
        {"name": "Shared", "roles": [{"name": "reader"}]},
        {"name": "Project of {0}", "roles": [{"name": "member"}, {"name": "reader"}]},
    ]
    rules = [{"local": [{"user": {"name": "{0}"}}, {"projects": projects}], "remote": [{"type": "OIDC-sub"}]}]
    meeting = await unprepared.prepare(rules)
    person = await meeting.enter()
    await meeting.enter()
    mine = (await person.get("/auth/projects"))["projects"]
    assert sorted(project["name"] for project in mine) == ["Project of 17", "Shared"]
    assert {project["domain_id"] for project in mine} == {meeting.provider["domain_id"]}
    own = next(project["id"] for project in mine if project["name"] != "Shared")
    inside = await meeting.cloud.enter(by_token(person.token, {"project": {"id": own}}))
    assert sorted(role["name"] for role in inside.body["roles"]) == ["member", "reader"]
    other = await meeting.enter(meeting.token(sub="18"))
    names = sorted(project["name"] for project in (await other.get("/auth/projects"))["projects"])
    assert names == ["Project of 18", "Shared"]
    changed = [{"local": [{"user": {"name": "{0}"}}, {"projects": [{"name": "New", "roles": [{"name": "none"}]}]}]}]
    changed[0]["remote"] = [{"type": "OIDC-sub"}]
    await meeting.admin.patch(f"{MAPPINGS}/m", {"mapping": {"rules": changed}})
    await meeting.come(meeting.token(), 401)
    assert (await meeting.admin.get("/projects?name=New"))["projects"] == []


async def test_groups_are_in_the_token_only(meeting: Meeting) -> None:
    inside = await meeting.enter(scope=meeting.lab)
    user_id = inside.body["user"]["id"]
    assert (await meeting.admin.get(f"/users/{user_id}/groups"))["groups"] == []
    credential = {"application_credential": {"name": "robot"}}
    made = (await inside.post(f"/users/{user_id}/application_credentials", credential))["application_credential"]
    await meeting.cloud.nobody().post("/auth/tokens", _by_credential(made), 401)


def _by_credential(made: dict[str, Any]) -> dict[str, Any]:
    proof = {"id": made["id"], "secret": made["secret"]}
    return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": proof}}}


async def test_groups_that_last_for_a_while(unprepared: Meeting) -> None:
    meeting = await unprepared.prepare(authorization_ttl=10)
    inside = await meeting.enter(scope=meeting.lab)
    user_id = inside.body["user"]["id"]
    (group,) = (await meeting.admin.get(f"/users/{user_id}/groups"))["groups"]
    assert (group["id"], group["membership_expires_at"] is not None) == (meeting.group, True)
    credential = {"application_credential": {"name": "robot"}}
    made = (await inside.post(f"/users/{user_id}/application_credentials", credential))["application_credential"]
    robot = await meeting.cloud.enter(_by_credential(made))
    await robot.get("/auth/projects")
    meeting.clock.jump(9 * 60)
    await meeting.enter()  # ten minutes more
    meeting.clock.jump(9 * 60)
    await robot.get("/auth/projects")
    meeting.clock.jump(61)
    await robot.get("/auth/projects", 401)
    await meeting.cloud.nobody().post("/auth/tokens", _by_credential(made), 401)
    assert (await meeting.admin.get(f"/users/{user_id}/groups"))["groups"] == []
    await meeting.enter()
    await robot.get("/auth/projects")


async def test_a_login_that_changes_nothing_leaves_tokens_remembered(meeting: Meeting) -> None:
    await meeting.enter()
    before = meeting.cloud.room.generation.number
    await meeting.enter()
    assert meeting.cloud.room.generation.number == before


async def test_tokens_end_with_the_trust_in_their_provider(meeting: Meeting) -> None:
    inside = await meeting.enter(scope=meeting.lab)
    for enabled in (False, True):
        await meeting.admin.patch(f"{PROVIDERS}/acme", {"identity_provider": {"enabled": enabled}})
        await inside.get("/auth/projects", 401)
    events = (await meeting.admin.get("/OS-REVOKE/events"))["events"]
    assert [event["identity_provider"] for event in events if "identity_provider" in event] == ["acme"]
    inside = await meeting.enter(scope=meeting.lab)
    await meeting.admin.delete(f"{PROVIDERS}/acme/protocols/openid")
    await inside.get("/auth/projects", 401)
    assert "federated" not in (await meeting.admin.get(f"/users/{inside.body['user']['id']}"))["user"]
    await meeting.admin.put(f"{PROVIDERS}/acme/protocols/openid", {"protocol": {"mapping_id": "m"}}, 201)
    again = await meeting.enter(scope=meeting.lab)
    assert again.body["user"]["id"] == inside.body["user"]["id"]
    await meeting.admin.delete(f"{PROVIDERS}/acme")
    await again.get("/auth/projects", 401)


async def test_a_disabled_shadow_stays_out(meeting: Meeting) -> None:
    person = await meeting.enter()
    await meeting.admin.patch(f"/users/{person.body['user']['id']}", {"user": {"enabled": False}})
    await person.get("/auth/projects", 401)
    await meeting.come(meeting.token(), 401)


async def test_the_providers_go_with_their_domain(meeting: Meeting) -> None:
    path = f"/domains/{meeting.provider['domain_id']}"
    await meeting.admin.patch(path, {"domain": {"enabled": False}})
    await meeting.come(meeting.token(), 401)
    await meeting.admin.delete(path)
    await meeting.admin.get(f"{PROVIDERS}/acme", 404)
