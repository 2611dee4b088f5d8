"""Keys are turned, and processes agree on what is void."""

from __future__ import annotations

import stat

import pytest

from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.errors import Unauthorized
from cumulet.services.identity.credentials.resealing import turn_credential_key
from cumulet.services.identity.policies import DEFAULTS
from cumulet.services.identity.public import IdentityDoor
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.payload import Token, new_audit_id, pack, unpack
from tests.api.identity.cloud import TOKEN_PROVIDERS, Cloud

pytestmark = pytest.mark.db
SECOND = 1_000_000
EVERY_PROVIDER = pytest.mark.parametrize("token_provider", TOKEN_PROVIDERS)


async def test_tokens_outlive_a_turn_of_the_key_but_not_two(cloud: Cloud) -> None:
    old = await cloud.login("demo")
    keys = cloud.room.tokens.chosen.keys
    assert keys is not None
    keys.rotate()
    cloud.room.generation.renew()
    assert (await cloud.identity.authenticate(old.token, "")).user_name == "demo"
    await (await cloud.login("demo")).get("/auth/projects")
    keys.rotate()
    cloud.room.generation.renew()
    with pytest.raises(Unauthorized):
        await cloud.identity.authenticate(old.token, "")


def test_keys_are_for_their_owner_only(cloud: Cloud) -> None:
    assert cloud.room.tokens.chosen.keys is not None
    directory = cloud.room.tokens.chosen.keys.directory
    files = sorted(directory.iterdir())
    assert [file.name for file in files] == ["0", "1"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


async def test_secrets_are_sealed_again_with_a_new_key(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    path = "/credentials"
    made = (await me.post(path, {"credential": {"type": "cert", "blob": "a secret"}}))["credential"]
    for _ in range(5):
        assert await turn_credential_key(cloud.room) == 1
    assert (await me.get(f"{path}/{made['id']}"))["credential"]["blob"] == "a secret"


@EVERY_PROVIDER
async def test_what_one_process_revokes_is_void_in_another(cloud: Cloud, database: Database, bus: MemoryBus) -> None:
    shared = database.backend.dialect == "sqlite"  # one process: its parts share the bus
    other = Identity(
        database=database,
        bus=bus if shared else MemoryBus(),
        clock=cloud.room.clock,
        rules=Rules(DEFAULTS),
        settings=cloud.room.settings,
    )
    door = IdentityDoor(other)
    me = await cloud.login("demo")
    assert (await door.authenticate(me.token, "")).user_name == "demo"
    await me.delete("/auth/tokens", headers={"x-subject-token": me.token})
    cloud.room.clock.jump(1)
    with pytest.raises(Unauthorized):
        await door.authenticate(me.token, "")


@EVERY_PROVIDER
async def test_a_service_speaks_for_a_user_whose_token_ended_meanwhile(cloud: Cloud) -> None:
    admin, me = await cloud.admin(), await cloud.login("demo")
    made = (await admin.post("/users", {"user": {"name": "nova", "password": "x"}}))["user"]
    projects = {project["name"]: project["id"] for project in (await admin.get("/projects"))["projects"]}
    roles = {role["name"]: role["id"] for role in (await admin.get("/roles"))["roles"]}
    await admin.put(f"/projects/{projects['service']}/users/{made['id']}/roles/{roles['service']}")
    cloud.room.clock.jump(3000)
    nova = await cloud.login("nova", "x", scope={"project": {"id": projects["service"]}})
    cloud.room.clock.jump(1000)
    with pytest.raises(Unauthorized):
        await cloud.identity.authenticate(me.token, "")
    caller = await cloud.identity.authenticate(me.token, nova.token)
    assert (caller.user_name, caller.service_roles) == ("demo", ("service",))
    assert caller.credentials["service_roles"] == ["service"]
    with pytest.raises(Unauthorized):
        await cloud.identity.authenticate(me.token, me.token)


NOW = 1_700_000_000 * SECOND + 123_456
USER, PLACE = "a" * 32, "b" * 32


SCOPES = pytest.mark.parametrize(
    ("version", "said"),
    [
        (0, {}),
        (1, {"domain_id": "default"}),
        (1, {"domain_id": PLACE}),
        (2, {"project_id": PLACE}),
        (3, {"project_id": PLACE, "trust_id": "c" * 32}),
        (4, {"provider_id": "idp", "protocol_id": "oidc", "group_ids": ("g", "d" * 32)}),
        (5, {"project_id": PLACE, "provider_id": "idp", "protocol_id": "oidc", "group_ids": ("g",)}),
        (6, {"domain_id": PLACE, "provider_id": "idp", "protocol_id": "oidc", "group_ids": ()}),
        (7, {"project_id": PLACE, "access_token_id": "e" * 32}),
        (8, {"system": True}),
        (9, {"project_id": PLACE, "application_credential_id": "f" * 32}),
    ],
)


def token_that_says(said: dict) -> Token:
    return Token(
        user_id=USER,
        methods=("password", "token"),
        audit_ids=(new_audit_id(NOW), new_audit_id(NOW)),
        expires_at=NOW // SECOND * SECOND + 3600 * SECOND,
        issued_at=NOW,
        **said,
    )


@EVERY_PROVIDER
@SCOPES
async def test_a_token_is_read_as_it_was_written(cloud: Cloud, version: int, said: dict) -> None:
    token = token_that_says(said)
    text = cloud.room.tokens.chosen.seal(token)
    await cloud.room.tokens.chosen.keep(text, token)
    assert await cloud.room.tokens.unseal(text) == token


@SCOPES
def test_a_payload_is_read_as_it_was_written(version: int, said: dict) -> None:
    token = token_that_says(said)
    raw = pack(token)
    assert raw[1] == version
    assert unpack(raw, NOW // SECOND) == token


def test_a_payload_of_another_implementation_is_read() -> None:
    # (2, (True, user), 2, (True, project), 1700003600.0, [audit]), as the reference service packs it.
    user, project = "92c3c410" + "aa" * 16, "92c3c410" + "bb" * 16
    raw = bytes.fromhex(f"9602{user}02{project}cb41d954ffc400000091c410" + "11" * 16)
    token = unpack(raw, 1_700_000_000)
    assert (token.user_id, token.project_id) == (USER, PLACE)
    assert token.methods == ("password",)
    assert token.expires_at == 1_700_003_600 * SECOND
    assert token.issued_at == 1_700_000_000 * SECOND
