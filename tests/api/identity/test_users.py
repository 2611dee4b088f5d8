"""The life of users, their groups and their passwords."""

from __future__ import annotations

import base64
import hashlib
import hmac

import bcrypt
import pytest

from cumulet.services.identity.auth.totp import passcode
from cumulet.services.identity.passwords.formats import hash_password, is_password
from tests.api.identity.cloud import PASSWORD, Cloud, by_password, by_token

pytestmark = pytest.mark.db


async def test_a_user_is_made_seen_changed_and_deleted(cloud: Cloud) -> None:
    admin = await cloud.admin()
    made = (await admin.post("/users", {"user": {"name": "eve", "password": "first", "email": "e@x"}}))["user"]
    assert made["email"] == "e@x"
    assert made["domain_id"] == "default"
    assert made["password_expires_at"] is None
    assert "password" not in made
    assert "default_project_id" not in made
    path = f"/users/{made['id']}"
    assert (await admin.get(path))["user"] == made
    changed = (await admin.patch(path, {"user": {"name": "eva", "phone": "1"}}))["user"]
    assert (changed["name"], changed["phone"], changed["email"]) == ("eva", "1", "e@x")
    assert [user["name"] for user in (await admin.get("/users?name__startswith=ev"))["users"]] == ["eva"]
    assert [user["name"] for user in (await admin.get("/users?name__icontains=V"))["users"]] == ["eva"]
    eva = await cloud.login("eva", "first")
    await admin.delete(path)
    await eva.get("/auth/projects", 401)
    await admin.get(path, 404)


async def test_a_disabled_user_is_out_at_once(cloud: Cloud) -> None:
    admin, me = await cloud.admin(), await cloud.login("demo")
    path = f"/users/{me.body['user']['id']}"
    await me.get(path)
    await admin.patch(path, {"user": {"enabled": False}})
    await me.get(path, 401)
    await cloud.nobody().post("/auth/tokens", by_password("demo"), 401)
    await admin.patch(path, {"user": {"enabled": True}})
    await me.get(path, 401)
    await (await cloud.login("demo")).get(path)


async def test_a_user_changes_his_password_and_his_old_tokens_are_void(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    path = f"/users/{me.body['user']['id']}/password"
    nobody = cloud.nobody()
    await nobody.post(path, {"user": {"password": "new", "original_password": "wrong"}}, 401)
    await nobody.post(path, {"user": {"password": "new", "original_password": PASSWORD}}, 204)
    await me.get("/auth/projects", 401)
    await nobody.post("/auth/tokens", by_password("demo"), 401)
    # In the same second, yet made afterwards: this one is good.
    await (await cloud.login("demo", "new")).get("/auth/projects")


async def test_too_many_wrong_passwords_lock_an_account_for_a_while(cloud: Cloud) -> None:
    nobody = cloud.nobody()
    for _ in range(3):
        await nobody.post("/auth/tokens", by_password("demo", "guess"), 401)
    await nobody.post("/auth/tokens", by_password("demo"), 401)
    cloud.room.clock.jump(1801)
    await cloud.login("demo")


async def test_two_factors_are_asked_for_one_after_the_other(cloud: Cloud) -> None:
    admin, me = await cloud.admin(), await cloud.login("demo")
    user_id = me.body["user"]["id"]
    options = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}
    await admin.patch(f"/users/{user_id}", {"user": {"options": options}})
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    await admin.post("/credentials", {"credential": {"user_id": user_id, "type": "totp", "blob": secret}})
    half = await cloud.nobody()("POST", "/auth/tokens", by_password("demo"))
    assert half.status_code == 401
    assert half.json()["required_auth_methods"] == [["password", "totp"]]
    assert half.json()["receipt"]["methods"] == ["password"]
    receipt = {"openstack-auth-receipt": half.headers["openstack-auth-receipt"]}
    code = passcode(secret, cloud.room.clock.now() // 1_000_000)
    totp = {"methods": ["totp"], "totp": {"user": {"id": user_id, "passcode": code}}}
    whole = await cloud.enter({"auth": {"identity": totp}}, receipt)
    assert whole.body["methods"] == ["password", "totp"]
    wrong = {"methods": ["totp"], "totp": {"user": {"id": user_id, "passcode": "000000"}}}
    await cloud.nobody().post("/auth/tokens", {"auth": {"identity": wrong}}, 401)


async def test_groups_gather_users(cloud: Cloud) -> None:
    admin, me = await cloud.admin(), await cloud.login("demo")
    user_id = me.body["user"]["id"]
    group = (await admin.post("/groups", {"group": {"name": "crew"}}))["group"]
    path = f"/groups/{group['id']}/users"
    await admin.get(f"{path}/{user_id}", 404)
    await admin.put(f"{path}/{user_id}")
    await admin.put(f"{path}/{user_id}")
    await admin.get(f"{path}/{user_id}", 204)
    assert [user["id"] for user in (await admin.get(path))["users"]] == [user_id]
    assert [found["id"] for found in (await me.get(f"/users/{user_id}/groups"))["groups"]] == [group["id"]]
    await admin.delete(f"{path}/{user_id}")
    assert (await admin.get(path))["users"] == []
    await admin.delete(f"/groups/{group['id']}")


async def test_lists_have_pages(cloud: Cloud) -> None:
    admin = await cloud.admin()
    for name in "abc":
        await admin.post("/users", {"user": {"name": name}})
    seen: list[str] = []
    path = "/users?limit=2"
    for _ in range(5):
        page = await admin.get(path)
        seen += [user["name"] for user in page["users"]]
        if page["links"]["next"] is None:
            break
        path = page["links"]["next"].partition("/v3")[2]
    assert sorted(seen) == ["a", "admin", "b", "c", "demo"]


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"name": ""},
        {"name": "x" * 256},
        {"name": None},
        {"name": "x", "password": 5},
        {"name": "x", "options": {"a": 1}},
    ],
)
async def test_bad_users_are_refused(cloud: Cloud, user: dict) -> None:
    await (await cloud.admin()).post("/users", {"user": user}, 400)


async def test_an_id_cannot_be_changed_nor_a_domain_left(cloud: Cloud) -> None:
    admin = await cloud.admin()
    path = f"/users/{admin.body['user']['id']}"
    await admin.patch(path, {"user": {"id": "other"}}, 400)
    await admin.patch(path, {"user": {"domain_id": "other"}}, 400)


@pytest.mark.parametrize(
    ("password", "stored"),
    [
        ("secret", "$2b$04$abcdefghijklmnopqrstuuW4DoCIVkNR3iNCKsDNbr1HCWA3Q0iPi"),
        ("secret", "$pbkdf2-sha512$1$c2FsdHNhbHQ$nonsense"),
        ("secret", "nonsense"),
        ("secret", ""),
        ("secret", "$scrypt$ln=60,r=8,p=1$c2FsdA$aGFzaA"),
    ],
)
def test_what_does_not_match_is_refused(password: str, stored: str) -> None:
    assert not is_password(password, stored)


def test_stored_forms_of_other_tools_are_read() -> None:
    assert is_password("pässword", hash_password("pässword", 2))
    assert is_password("secret", bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode())
    derived = hashlib.pbkdf2_hmac("sha512", b"secret", b"saltsalt", 10)
    text = base64.b64encode(derived).rstrip(b"=").decode().replace("+", ".")
    assert is_password("secret", f"$pbkdf2-sha512$10$c2FsdHNhbHQ${text}")
    salt = bcrypt.gensalt(4)[7:].decode()
    key = base64.b64encode(hmac.digest(salt.encode(), b"secret", "sha256"))
    whole = bcrypt.hashpw(key, f"$2b$04${salt}".encode()).decode()
    assert is_password("secret", f"$bcrypt-sha256$v=2,t=2b,r=4${salt}${whole[29:]}")


async def test_a_new_token_outlives_no_parent(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    cloud.room.clock.jump(3000)
    second = await cloud.enter(by_token(me.token))
    cloud.room.clock.jump(700)
    await second.get("/auth/projects", 401)
