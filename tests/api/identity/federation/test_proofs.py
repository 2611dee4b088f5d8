"""What a provider or a proxy says of a person, and what of it is believed."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.services.identity.federation.settings import ProxySettings
from tests.api.identity.federation.making import MAPPINGS, PROVIDERS
from tests.api.identity.federation.meeting import (
    AUTH,
    BY_PROXY,
    PROXY,
    Meeting,
    open_meeting,
)
from tests.support.openid_provider import CLIENT, ISSUER

pytestmark = pytest.mark.db


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
