"""The life of a consumer, and of what users lend to it."""

from __future__ import annotations

import base64
import hmac
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from cumulet.services.identity.oauth.signature import base_string, is_signed
from tests.api.identity.cloud import Client, Cloud
from tests.api.identity.test_delegations import make_credential

pytestmark = pytest.mark.db
BASE = "http://cloud.test/v3"


def signed(cloud: Cloud, path: str, key: str, secret: str, token_secret: str = "", **more: str) -> dict[str, str]:
    """The Authorization header of a POST."""
    given = {
        "oauth_consumer_key": key,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(cloud.room.clock.now() // 1_000_000),
        "oauth_nonce": "7",
        "oauth_version": "1.0",
        **more,
    }
    text = base_string("POST", BASE + path, given.items())
    given["oauth_signature"] = base64.b64encode(
        hmac.digest(f"{secret}&{token_secret}".encode(), text.encode(), "sha1")
    ).decode()
    return {"authorization": "OAuth " + ", ".join(f'{k}="{quote(v, safe="")}"' for k, v in given.items())}


async def form(client: Client, path: str, headers: dict[str, str]) -> dict[str, str]:
    response = await client("POST", path, headers=headers)
    assert response.status_code == 201, response.text
    return dict(parse_qsl(response.text))


async def test_a_consumer_asks_is_answered_and_acts(cloud: Cloud) -> None:
    admin, nobody = await cloud.admin(), cloud.nobody()
    consumer = (await admin.post("/OS-OAUTH1/consumers", {"consumer": {"description": "a robot"}}))["consumer"]
    key, secret = consumer["id"], consumer["secret"]
    assert "secret" not in (await admin.get(f"/OS-OAUTH1/consumers/{key}"))["consumer"]
    project_id = admin.body["project"]["id"]
    asking = signed(cloud, "/OS-OAUTH1/request_token", key, secret, oauth_callback="oob")
    wrong = signed(cloud, "/OS-OAUTH1/request_token", key, "wrong", oauth_callback="oob")
    assert (await nobody("POST", "/OS-OAUTH1/request_token", headers=wrong)).status_code == 401
    asked = await form(nobody, "/OS-OAUTH1/request_token", {**asking, "requested-project-id": project_id})
    reader = next(role["id"] for role in admin.body["roles"] if role["name"] == "reader")
    agreed = {"roles": [{"id": reader}]}
    path = f"/OS-OAUTH1/authorize/{asked['oauth_token']}"
    await admin.put(path, {"roles": [{"id": "none"}]}, 403)
    verifier = (await admin.put(path, agreed, 200))["token"]["oauth_verifier"]
    collecting = signed(
        cloud,
        "/OS-OAUTH1/access_token",
        key,
        secret,
        asked["oauth_token_secret"],
        oauth_token=asked["oauth_token"],
        oauth_verifier=verifier,
    )
    lent = await form(nobody, "/OS-OAUTH1/access_token", collecting)
    again = await nobody("POST", "/OS-OAUTH1/access_token", headers=collecting)
    assert again.status_code == 401
    entering = signed(cloud, "/auth/tokens", key, secret, lent["oauth_token_secret"], oauth_token=lent["oauth_token"])
    body = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
    robot = await cloud.enter(body, entering)
    assert robot.body["OS-OAUTH1"]["consumer_id"] == key
    assert [role["name"] for role in robot.body["roles"]] == ["reader"]
    assert robot.body["project"]["id"] == project_id
    await robot.get("/auth/projects")
    listed = f"/users/{admin.body['user']['id']}/OS-OAUTH1/access_tokens"
    assert [token["id"] for token in (await admin.get(listed))["access_tokens"]] == [lent["oauth_token"]]
    assert [role["id"] for role in (await admin.get(f"{listed}/{lent['oauth_token']}/roles"))["roles"]] == [reader]
    await admin.delete(f"{listed}/{lent['oauth_token']}")
    await robot.get("/auth/projects", 401)
    await nobody.post("/auth/tokens", body, 401, headers=entering)
    await admin.delete(f"/OS-OAUTH1/consumers/{key}")
    await admin.get(f"/OS-OAUTH1/consumers/{key}", 404)


async def test_an_old_signature_is_refused(cloud: Cloud) -> None:
    admin = await cloud.admin()
    consumer = (await admin.post("/OS-OAUTH1/consumers", {"consumer": {}}))["consumer"]
    headers = signed(cloud, "/OS-OAUTH1/request_token", consumer["id"], consumer["secret"], oauth_callback="oob")
    cloud.room.clock.jump(3700)
    refused = await cloud.nobody()("POST", "/OS-OAUTH1/request_token", headers=headers)
    assert refused.status_code == 401


def test_a_signature_of_another_program() -> None:
    given = {
        "oauth_consumer_key": "dpf43f3p2l4k3l03",
        "oauth_token": "nnch734d00sl2jdk",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "1191242096",
        "oauth_nonce": "kllo9940pd9333jh",
        "oauth_version": "1.0",
        "oauth_signature": "tR3+Ty81lMeYAr/Fid0kMTYa/WM=",
    }
    url = "http://photos.example.net/photos?file=vacation.jpg&size=original"
    assert is_signed(given, "GET", url, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00")
    assert not is_signed(given, "GET", url, "kd94hf93k423kf44", "another")


async def ask_oauth2(cloud: Cloud, credential: dict[str, Any], grant: str = "client_credentials") -> Any:
    basic = base64.b64encode(f"{credential['id']}:{credential['secret']}".encode()).decode()
    headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
    body = urlencode({"grant_type": grant}).encode()
    return await cloud.nobody()("POST", "/OS-OAUTH2/token", headers=headers, content=body)


async def test_client_credentials_give_a_token(cloud: Cloud) -> None:
    made = await make_credential(await cloud.login("demo"))
    given = await ask_oauth2(cloud, made)
    assert given.status_code == 200
    assert given.json()["token_type"] == "Bearer"
    assert (await cloud.identity.authenticate(given.json()["access_token"], "")).user_name == "demo"
    assert (await ask_oauth2(cloud, {**made, "secret": "wrong"})).json()["error"] == "invalid_client"
    assert (await ask_oauth2(cloud, made, "password")).json()["error"] == "unsupported_grant_type"
