"""People who authenticate elsewhere: how they come, who they are here, what they may do, and for how long."""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio
from joserfc.jwk import RSAKey

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.services.identity.federation.settings import OidcSettings, ProxySettings
from tests.api.identity.cloud import Client, Cloud, by_password, by_token, open_cloud
from tests.api.identity.test_federation import MAPPINGS, PROVIDERS, make_mapping, make_provider
from tests.support.clock import JumpingClock
from tests.support.openid_provider import CLIENT, ISSUER, SECRET, OpenIdWorld

pytestmark = pytest.mark.db
AUTH = f"{PROVIDERS}/acme/protocols/openid/auth"
WEBSSO = "/auth/OS-FEDERATION/identity_providers/acme/protocols/openid/websso"
DASHBOARD = "https://dashboard.test/auth/websso/"
PROXY = {"x-federation-secret": "between us", "x-remote-user": "j", "oidc-iss": ISSUER, "oidc-sub": "17"}
RULES = [
    {
        "local": [{"user": {"id": "{0}", "name": "{1}", "email": "{2}"}}],
        "remote": [{"type": "OIDC-sub"}, {"type": "OIDC-preferred_username"}, {"type": "OIDC-email"}],
    },
    {"local": [{"groups": "{0}", "domain": {"name": "Default"}}], "remote": [{"type": "OIDC-groups"}]},
]
BY_PROXY = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "REMOTE_USER"}]}]


class Meeting:
    """A cloud, a provider whom it knows, and the group `staff`, which is a reader in the project `lab`."""

    def __init__(self, cloud: Cloud, world: OpenIdWorld) -> None:
        self.cloud, self.world = cloud, world
        self.clock: JumpingClock = cloud.room.clock  # type: ignore[assignment]

    async def prepare(self, rules: Any = RULES, **provider: Any) -> Meeting:
        admin = self.admin = await self.cloud.admin()
        self.provider = await make_provider(admin, "acme", **{"enabled": True, "remote_ids": [ISSUER]} | provider)
        await make_mapping(admin, "m", rules)
        await admin.put(f"{PROVIDERS}/acme/protocols/openid", {"protocol": {"mapping_id": "m"}}, 201)
        roles = {role["name"]: role["id"] for role in (await admin.get("/roles"))["roles"]}
        self.group = (await admin.post("/groups", {"group": {"name": "staff"}}))["group"]["id"]
        self.project = (await admin.post("/projects", {"project": {"name": "lab"}}))["project"]["id"]
        await admin.put(f"/projects/{self.project}/groups/{self.group}/roles/{roles['reader']}")
        return self

    def token(self, **claims: Any) -> str:
        usual = {"preferred_username": "j", "email": "j@x.test", "groups": ["staff", "unknown"]}
        return self.world.sign(**usual | claims)

    async def come(self, token: str, status: int = 201) -> Any:
        response = await self.cloud.nobody()("POST", AUTH, headers={"authorization": f"Bearer {token}"})
        assert response.status_code == status, response.text
        return response

    async def enter(self, token: str = "", scope: Any = None) -> Client:
        response = await self.come(token or self.token())
        client = Client(self.cloud, response.headers["x-subject-token"], response.json()["token"])
        return await self.cloud.enter(by_token(client.token, scope)) if scope else client

    @property
    def lab(self) -> dict[str, Any]:
        return {"project": {"id": self.project}}


async def open_meeting(database: Database, bus: MemoryBus, state: Path, **settings: Any) -> Meeting:
    clock = JumpingClock()
    world = OpenIdWorld(clock)
    chosen = {
        "oidc": {"acme": OidcSettings(issuer=ISSUER, client_id=CLIENT, client_secret=SECRET)},
        "proxy": ProxySettings(secret="between us"),
        "trusted_dashboards": (DASHBOARD,),
        "base_url": "https://cloud.test",
    }
    cloud = await open_cloud(database, bus, state, clock=clock, ask=world.ask, **chosen | settings)
    return Meeting(cloud, world)


@pytest_asyncio.fixture
async def unprepared(database: Database, bus: MemoryBus, tmp_path: Path) -> Meeting:
    return await open_meeting(database, bus, tmp_path)


@pytest_asyncio.fixture
async def meeting(unprepared: Meeting) -> Meeting:
    return await unprepared.prepare()


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


# ---- proofs that are none ----------------------------------------------------------------------------------------


async def test_tokens_that_are_not_meant_for_this_cloud(meeting: Meeting) -> None:
    now = meeting.clock.now() // 1_000_000
    stranger = RSAKey.generate_key(2048, {"kid": "first"})
    head, body, signature = meeting.token().split(".")
    # Signed with what everybody knows: the provider's public key as a shared secret.
    shared = f"eyJhbGciOiJIUzI1NiIsImtpZCI6ImZpcnN0In0.{body}"
    mac = hmac.digest(meeting.world.key.as_pem(private=False), shared.encode(), "sha256")
    by_public_key = f"{shared}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    for token in (
        meeting.token(iss="https://other.test"),
        meeting.token(aud="another client"),
        meeting.token(aud=None),
        meeting.token(exp=now - 120),
        meeting.token(exp=None),
        meeting.token(nbf=now + 600),
        meeting.world.sign(stranger, preferred_username="j", email="j@x.test"),
        by_public_key,
        f"eyJhbGciOiJub25lIn0.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{meeting.token(sub='18').split('.')[1]}.{signature}",
        "..",
        "a.b.c",
        "x" * 20_000,
        "",
    ):
        await meeting.come(token, 401)
    assert (await meeting.admin.get("/users?idp_id=acme"))["users"] == []
    await meeting.come(meeting.token(aud=["another client", CLIENT]))


async def test_a_provider_who_signs_with_a_new_key(meeting: Meeting) -> None:
    await meeting.enter()
    meeting.world.turn_key()
    await meeting.come(meeting.token(), 401)  # he was asked a moment ago
    meeting.clock.jump(61)
    await meeting.enter()
    before = len(meeting.world.asked)
    await meeting.enter()
    assert len(meeting.world.asked) == before


async def test_a_provider_who_cannot_be_reached(meeting: Meeting) -> None:
    meeting.world.down = True
    await meeting.come(meeting.token(), 503)
    meeting.world.down = False
    meeting.world.document["issuer"] = "https://other.test"
    await meeting.come(meeting.token(), 503)


async def test_tokens_that_only_the_provider_can_read(meeting: Meeting) -> None:
    person = {"sub": "17", "preferred_username": "j", "userinfo": {"groups": ["staff"]}}
    meeting.world.people["opaque"] = person
    client = await meeting.enter("opaque")
    assert client.body["user"]["OS-FEDERATION"]["groups"] == [{"id": meeting.group}]
    await meeting.come("unknown", 401)
    for wrong in ({"client_id": "another"}, {"iss": "https://other.test"}, {"sub": "18"}, {"active": False}):
        meeting.world.people["opaque"] = person | wrong
        await meeting.come("opaque", 401)


async def test_another_provider_than_the_one_of_the_path(unprepared: Meeting) -> None:
    meeting = await unprepared.prepare(remote_ids=["https://somebody.else"])
    await meeting.come(meeting.token(), 403)


async def test_ways_that_do_not_exist(meeting: Meeting) -> None:
    nobody, headers = meeting.cloud.nobody(), {"authorization": f"Bearer {meeting.token()}"}
    await nobody.post(AUTH, status=401)
    await nobody.get(AUTH, 401)
    await nobody.post(f"{PROVIDERS}/missing/protocols/openid/auth", status=404, headers=headers)
    await nobody.post(f"{PROVIDERS}/acme/protocols/missing/auth", status=404, headers=headers)
    await meeting.admin.delete(f"{MAPPINGS}/m")
    await meeting.come(meeting.token(), 401)
    await meeting.admin.patch(f"{PROVIDERS}/acme", {"identity_provider": {"enabled": False}})
    await meeting.come(meeting.token(), 403)


async def test_nobody_comes_of_claims_that_no_rule_matches(meeting: Meeting) -> None:
    await meeting.come(meeting.token(preferred_username=None, groups=None), 401)
    await meeting.come(meeting.token(preferred_username="x" * 256), 401)


async def test_a_claim_is_one_value_whatever_stands_in_it(meeting: Meeting) -> None:
    person = await meeting.enter(meeting.token(groups="unknown;staff"))
    assert person.body["user"]["OS-FEDERATION"]["groups"] == []


# ---- by the operator's proxy ---------------------------------------------------------------------------------------


async def test_a_proxy_that_is_believed(unprepared: Meeting) -> None:
    meeting = await unprepared.prepare(BY_PROXY)
    nobody = meeting.cloud.nobody()
    for method in ("GET", "POST"):
        shown = await nobody(method, AUTH, headers=PROXY)
        assert (shown.status_code, shown.json()["token"]["user"]["name"]) == (201, "j")
    for wrong in ({"x-federation-secret": "guessed"}, {"x-federation-secret": ""}):
        await nobody.post(AUTH, status=401, headers=PROXY | wrong)
    await nobody.post(AUTH, status=403, headers=PROXY | {"oidc-iss": "https://other.test"})
    # A name with an underscore is what a client may have sent past a proxy that removes the one with a hyphen.
    smuggled = {name: text for name, text in PROXY.items() if name != "oidc-iss"} | {"oidc_iss": ISSUER}
    await nobody.post(AUTH, status=403, headers=smuggled)


async def test_no_proxy_is_believed_without_a_secret(database: Database, bus: MemoryBus, tmp_path: Path) -> None:
    meeting = await (await open_meeting(database, bus, tmp_path, proxy=ProxySettings())).prepare(BY_PROXY)
    for secret in ("between us", ""):
        await meeting.cloud.nobody().post(AUTH, status=401, headers=PROXY | {"x-federation-secret": secret})


# ---- users of this cloud, and what a login makes ---------------------------------------------------------------------


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


# ---- how long it lasts -----------------------------------------------------------------------------------------------


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


# ---- by browser ----------------------------------------------------------------------------------------------------


async def start(meeting: Meeting, path: str = WEBSSO) -> Any:
    response = await meeting.cloud.nobody()("GET", f"{path}?origin={DASHBOARD}")
    assert response.status_code == 302, response.text
    return response


def cookie_of(response: Any) -> dict[str, str]:
    return {"cookie": response.headers["set-cookie"].partition(";")[0]}


CLAIMS = {"preferred_username": "j", "userinfo": {"groups": ["staff"]}}


@pytest.mark.parametrize("path", [WEBSSO, "/auth/OS-FEDERATION/websso/openid"])
async def test_a_browser_goes_there_and_back(meeting: Meeting, path: str) -> None:
    left = await start(meeting, path)
    there = urlsplit(left.headers["location"])
    asked = dict(parse_qsl(there.query))
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{ISSUER}/authorize"
    assert asked["redirect_uri"] == f"https://cloud.test/identity/v3{WEBSSO}"
    assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
    assert asked["scope"].split()[0] == "openid"
    for word in ("HttpOnly", "SameSite=Lax", "Secure"):
        assert word in left.headers["set-cookie"]
    query = meeting.world.browser(left.headers["location"], **CLAIMS)
    back = await meeting.cloud.nobody()("GET", f"{WEBSSO}?{query}", headers=cookie_of(left))
    assert back.status_code == 200, back.text
    assert back.headers["cache-control"] == "no-store"
    assert "form-action https://dashboard.test;" in back.headers["content-security-policy"]
    assert f'action="{DASHBOARD}"' in back.text
    found = re.search(r'name="token" value="([^"]+)"', back.text)
    assert found
    person = Client(meeting.cloud, found[1])
    assert [project["id"] for project in (await person.get("/auth/projects"))["projects"]] == [meeting.project]
    # The code is spent.
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers=cookie_of(left))


async def test_an_answer_in_another_browser(meeting: Meeting) -> None:
    mine, other = await start(meeting), await start(meeting)
    query = meeting.world.browser(mine.headers["location"], **CLAIMS)
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401)
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers=cookie_of(other))
    name, _, _ = cookie_of(mine)["cookie"].partition("=")
    _, _, sealed = cookie_of(other)["cookie"].partition("=")
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers={"cookie": f"{name}={sealed}"})
    for broken in ("=", f"{name}=x", f"{name}=\u00e9", f"{name}=" + "A" * 300):
        await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers={"cookie": broken.encode()})
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 200, headers=cookie_of(mine))


async def test_an_answer_that_comes_too_late(meeting: Meeting) -> None:
    left = await start(meeting)
    query = meeting.world.browser(left.headers["location"], **CLAIMS)
    meeting.clock.jump(601)
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers=cookie_of(left))


async def test_an_answer_that_was_meant_for_another_question(meeting: Meeting) -> None:
    left = await start(meeting)
    query = meeting.world.browser(left.headers["location"], **CLAIMS)
    code = query.partition("&")[0].partition("=")[2]
    meeting.world.people[code]["nonce"] = "of another login"
    await meeting.cloud.nobody().get(f"{WEBSSO}?{query}", 401, headers=cookie_of(left))
    refused = f"{WEBSSO}?error=access_denied&{query.partition('&')[2]}"
    await meeting.cloud.nobody().get(refused, 401, headers=cookie_of(left))


async def test_a_dashboard_that_is_not_trusted(meeting: Meeting) -> None:
    for path in (WEBSSO, "/auth/OS-FEDERATION/websso/openid"):
        await meeting.cloud.nobody().get(path, 400)
        for origin in ("https://evil.test/", DASHBOARD.rstrip("/"), DASHBOARD + "x"):
            await meeting.cloud.nobody().get(f"{path}?origin={origin}", 401)
    await meeting.cloud.nobody().get(f"/auth/OS-FEDERATION/websso/missing?origin={DASHBOARD}", 404)


async def test_a_browser_that_a_proxy_has_let_in(unprepared: Meeting) -> None:
    meeting = await unprepared.prepare(BY_PROXY)
    path = f"/auth/OS-FEDERATION/websso/openid?origin={DASHBOARD}"
    for method in ("GET", "POST"):
        page = await meeting.cloud.nobody()(method, path, headers=PROXY)
        assert page.status_code == 200
        assert 'name="token"' in page.text
    await meeting.cloud.nobody().get(path, 404, headers=PROXY | {"oidc-iss": "https://other.test"})


async def test_several_providers_to_choose_from(database: Database, bus: MemoryBus, tmp_path: Path) -> None:
    settings = OidcSettings(issuer=ISSUER, client_id=CLIENT)
    meeting = await open_meeting(database, bus, tmp_path, oidc={"acme": settings, "second": settings})
    await meeting.prepare(description="<Acme>")
    await make_provider(meeting.admin, "second", enabled=True)
    await meeting.admin.put(f"{PROVIDERS}/second/protocols/openid", {"protocol": {"mapping_id": "m"}}, 201)
    page = await meeting.cloud.nobody()("GET", f"/auth/OS-FEDERATION/websso/openid?origin={DASHBOARD}")
    assert page.status_code == 200
    assert "&lt;Acme&gt;" in page.text
    assert "identity_providers/second/protocols/openid/websso?origin=https%3A%2F%2Fdashboard.test" in page.text
