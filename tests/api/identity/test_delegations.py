"""The life of trusts, application credentials and EC2 credentials."""

from __future__ import annotations

import base64
import hmac
from typing import Any

import pytest

from cumulet.services.identity.credentials.row import CredentialRow
from tests.api.identity.cloud import Client, Cloud, by_password, by_token

pytestmark = pytest.mark.db


def by_credential(credential: dict[str, Any]) -> dict[str, Any]:
    given = {"id": credential["id"], "secret": credential["secret"]}
    return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": given}}}


async def make_credential(me: Client, **wish: Any) -> dict[str, Any]:
    path = f"/users/{me.body['user']['id']}/application_credentials"
    body = {"application_credential": {"name": "robot", **wish}}
    made: dict[str, Any] = (await me.post(path, body))["application_credential"]
    return made


async def test_an_application_credential_is_made_used_and_deleted(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    made = await make_credential(me, roles=[{"name": "reader"}])
    assert made["project_id"] == me.body["project"]["id"]
    path = f"/users/{me.body['user']['id']}/application_credentials/{made['id']}"
    shown = (await me.get(path))["application_credential"]
    assert "secret" not in shown
    assert [role["name"] for role in shown["roles"]] == ["reader"]
    robot = await cloud.enter(by_credential(made))
    assert [role["name"] for role in robot.body["roles"]] == ["reader"]
    assert robot.body["methods"] == ["application_credential"]
    assert robot.body["application_credential"]["restricted"] is True
    await robot.post(path.rpartition("/")[0], {"application_credential": {"name": "x"}}, 403)
    await cloud.nobody().post("/auth/tokens", by_token(robot.token), 403)
    await cloud.nobody().post("/auth/tokens", by_credential({**made, "secret": "wrong"}), 401)
    await me.delete(path)
    await robot.get("/auth/projects", 401)
    await cloud.nobody().post("/auth/tokens", by_credential(made), 401)
    await me.get(path, 404)


async def test_a_credential_lends_only_what_its_user_has(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    path = f"/users/{me.body['user']['id']}/application_credentials"
    await me.post(path, {"application_credential": {"name": "x", "roles": [{"name": "admin"}]}}, 400)
    await me.post(path, {"application_credential": {"name": "x", "expires_at": "2001-01-01T00:00:00Z"}}, 400)
    stranger = await cloud.admin()
    await stranger.post(path, {"application_credential": {"name": "x"}}, 403)


async def test_access_rules_limit_what_a_credential_may_ask(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    rules = [{"service": "identity", "method": "GET", "path": "/v3/auth/*"}]
    made = await make_credential(me, access_rules=rules)
    robot = await cloud.enter(by_credential(made))
    await robot.get("/auth/projects")
    await robot.get("/regions", 401)
    listed = (await me.get(f"/users/{me.body['user']['id']}/access_rules"))["access_rules"]
    assert [rule["path"] for rule in listed] == ["/v3/auth/*"]
    rule = f"/users/{me.body['user']['id']}/access_rules/{listed[0]['id']}"
    await me.delete(rule, 403)
    await me.delete(f"/users/{me.body['user']['id']}/application_credentials/{made['id']}")
    await me.delete(rule)
    await me.get(rule, 404)


async def make_trust(trustor: Client, trustee_id: str, status: int = 201, **wish: Any) -> dict[str, Any]:
    body = {
        "trustor_user_id": trustor.body["user"]["id"],
        "trustee_user_id": trustee_id,
        "project_id": trustor.body["project"]["id"],
        "roles": [{"name": "member"}],
        "impersonation": True,
        **wish,
    }
    made = await trustor.post("/OS-TRUST/trusts", {"trust": body}, status)
    return made.get("trust", made)  # type: ignore[no-any-return]


async def trustee(cloud: Cloud) -> Client:
    await (await cloud.admin()).post("/users", {"user": {"name": "butler", "password": "x"}})
    return await cloud.login("butler", "x")


async def test_a_trust_is_made_used_and_ended(cloud: Cloud) -> None:
    me, butler = await cloud.login("demo"), await trustee(cloud)
    trust = await make_trust(me, butler.body["user"]["id"])
    scope = {"OS-TRUST:trust": {"id": trust["id"]}}
    acting = await cloud.enter(by_token(butler.token, scope))
    assert acting.body["user"]["name"] == "demo"
    assert acting.body["OS-TRUST:trust"]["trustee_user"]["id"] == butler.body["user"]["id"]
    assert {role["name"] for role in acting.body["roles"]} == {"member", "reader"}
    await cloud.nobody().post("/auth/tokens", by_token(acting.token), 403)
    await cloud.nobody().post("/auth/tokens", by_token(me.token, scope), 403)
    listed = await me.get(f"/OS-TRUST/trusts?trustor_user_id={me.body['user']['id']}")
    assert [found["id"] for found in listed["trusts"]] == [trust["id"]]
    await me.delete(f"/OS-TRUST/trusts/{trust['id']}")
    await acting.get("/auth/projects", 401)
    await me.get(f"/OS-TRUST/trusts/{trust['id']}", 404)


async def test_a_trust_ends_with_the_role_it_lends(cloud: Cloud) -> None:
    admin, me, butler = await cloud.admin(), await cloud.login("demo"), await trustee(cloud)
    trust = await make_trust(me, butler.body["user"]["id"], impersonation=False)
    acting = await cloud.enter(by_token(butler.token, {"OS-TRUST:trust": {"id": trust["id"]}}))
    assert acting.body["user"]["name"] == "butler"
    role_id = next(role["id"] for role in me.body["roles"] if role["name"] == "member")
    await admin.delete(f"/projects/{me.body['project']['id']}/users/{me.body['user']['id']}/roles/{role_id}")
    await acting.get("/auth/projects", 401)


async def test_a_counted_trust_is_used_up(cloud: Cloud) -> None:
    me, butler = await cloud.login("demo"), await trustee(cloud)
    trust = await make_trust(me, butler.body["user"]["id"], remaining_uses=1)
    scope = {"OS-TRUST:trust": {"id": trust["id"]}}
    await cloud.enter(by_password("butler", "x", scope))
    await cloud.nobody().post("/auth/tokens", by_password("butler", "x", scope), 403)


async def test_a_trust_handed_on_grants_no_more_than_itself(cloud: Cloud) -> None:
    me, butler = await cloud.login("demo"), await trustee(cloud)
    first = await make_trust(me, butler.body["user"]["id"], allow_redelegation=True, roles=[{"name": "reader"}])
    acting = await cloud.enter(by_token(butler.token, {"OS-TRUST:trust": {"id": first["id"]}}))
    admin_id = (await cloud.admin()).body["user"]["id"]
    await make_trust(acting, admin_id, 403)
    second = await make_trust(acting, admin_id, roles=[{"name": "reader"}], allow_redelegation=True)
    assert second["redelegated_trust_id"] == first["id"]
    assert second["redelegation_count"] == 2
    await me.delete(f"/OS-TRUST/trusts/{first['id']}")
    await me.get(f"/OS-TRUST/trusts/{second['id']}", 404)


async def test_roles_one_does_not_have_cannot_be_trusted(cloud: Cloud) -> None:
    me, butler = await cloud.login("demo"), await trustee(cloud)
    await make_trust(me, butler.body["user"]["id"], 404, roles=[{"name": "admin"}])
    await make_trust(me, butler.body["user"]["id"], 403, roles=[])
    await make_trust(me, "nobody", 404)
    await make_trust(me, butler.body["user"]["id"], 400, expires_at="soon")
    await make_trust(me, butler.body["user"]["id"], 403, trustor_user_id="other")


async def test_ec2_keys_sign_requests(cloud: Cloud) -> None:
    admin, me = await cloud.admin(), await cloud.login("demo")
    path = f"/users/{me.body['user']['id']}/credentials/OS-EC2"
    made = (await me.post(path, {"tenant_id": me.body["project"]["id"]}))["credential"]
    assert (await me.get(f"{path}/{made['access']}"))["credential"] == made
    text = b"GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/bucket/photo.jpg"

    def signed(keys: dict[str, Any]) -> dict[str, Any]:
        signature = base64.b64encode(hmac.digest(keys["secret"].encode(), text, "sha1")).decode()
        return {"access": keys["access"], "signature": signature, "token": base64.urlsafe_b64encode(text).decode()}

    asked = signed(made)
    token = (await admin.post("/s3tokens", {"credentials": asked}, 200))["token"]
    assert token["user"]["name"] == "demo"
    assert token["project"]["name"] == "demo"
    await admin.post("/s3tokens", {"credentials": {**asked, "signature": "x"}}, 401)
    await me.post("/s3tokens", {"credentials": asked}, 403)
    # A key for a project in which its user has no role opens nothing.
    strange = (await admin.post("/projects", {"project": {"name": "strange"}}))["project"]["id"]
    useless = (await me.post(path, {"tenant_id": strange}))["credential"]
    await admin.post("/s3tokens", {"credentials": signed(useless)}, 401)
    await me.delete(f"{path}/{made['access']}")
    await me.get(f"{path}/{made['access']}", 404)
    await admin.post("/s3tokens", {"credentials": asked}, 401)


async def test_credentials_are_sealed_in_the_database(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    body = {"credential": {"type": "cert", "blob": "very secret"}}
    made = (await me.post("/credentials", body))["credential"]
    assert made["user_id"] == me.body["user"]["id"]
    path = f"/credentials/{made['id']}"
    assert (await me.get(path))["credential"]["blob"] == "very secret"
    async with cloud.room.database.read() as tx:
        row = await tx.get(CredentialRow, id=made["id"])
    assert row is not None
    assert "secret" not in row.blob
    assert (await me.patch(path, {"credential": {"blob": "other"}}))["credential"]["blob"] == "other"
    await (await trustee(cloud)).get(path, 403)
    await me.delete(path)
    await me.get(path, 403)


async def test_nobody_chooses_the_delegation_of_his_keys(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    blob = '{"access": "a", "secret": "s", "trust_id": "somebody else\'s"}'
    body = {"credential": {"type": "ec2", "blob": blob, "project_id": me.body["project"]["id"]}}
    made = (await me.post("/credentials", body))["credential"]
    assert "trust_id" not in made["blob"]
    await me.patch(f"/credentials/{made['id']}", {"credential": {"blob": blob}}, 403)
