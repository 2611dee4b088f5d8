"""Signed tokens: who can make one, who can check one, and the keys."""

from __future__ import annotations

import base64
import hmac
import shutil
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.lib.clock import SECOND
from cumulet.services.identity.tokens.payload import Unreadable
from tests.api.identity.cloud import Cloud, open_cloud
from tests.api.identity.tokens.accepting import USEFUL, accepts

pytestmark = pytest.mark.db
JWS = pytest.mark.parametrize("token_provider", ["jws"])


@pytest.fixture
def public(cloud: Cloud) -> Path:
    return cloud.room.settings.state / "jws-keys" / "public"


PEM = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWn+nMOBpEq7QdHYo5TdDF/RxrQH+
+875978LJ7D+OWTlgHirqxaRkacLcG8kdeQI7SnTT7ZCfSeDe1FcI+vQIg==
-----END PUBLIC KEY-----
"""
ELSEWHERE = (
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYSIsImlhdCI"
    "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwLCJvcGVuc3RhY2tfbWV0aG9kcyI6WyJtYXBwZWQiLCJ0b2tlbiJdLCJvcGVuc3R"
    "hY2tfYXVkaXRfaWRzIjpbIkhjTHRTWFVuVEstMGFOTFdEampqSEEiLCIxcVo4VzFoQ1ExbUYyX3BETTVyVFhRIl0sIm9wZW5zdGF"
    "ja19wcm9qZWN0X2lkIjoiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmIiLCJvcGVuc3RhY2tfZ3JvdXBfaWRzIjpbeyJ"
    "pZCI6ImRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkIn1dLCJvcGVuc3RhY2tfaWRwX2lkIjoiaWRwIiwib3BlbnN0YWN"
    "rX3Byb3RvY29sX2lkIjoib2lkYyJ9.1QfIw3OeF_ERjYPOGc9vb06xHEWbHUv7AVSRSxcKs6t71ekxUHxYFAHn30FpKoquhXadNd"
    "j2XUL2mCruzzhYBw"
)
BOUND = (
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYSIsImlhdCI"
    "6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwLCJvcGVuc3RhY2tfbWV0aG9kcyI6WyJtYXBwZWQiLCJ0b2tlbiJdLCJvcGVuc3R"
    "hY2tfYXVkaXRfaWRzIjpbIkhjTHRTWFVuVEstMGFOTFdEampqSEEiLCIxcVo4VzFoQ1ExbUYyX3BETTVyVFhRIl0sIm9wZW5zdGF"
    "ja19wcm9qZWN0X2lkIjoiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmIiLCJvcGVuc3RhY2tfZ3JvdXBfaWRzIjpbeyJ"
    "pZCI6ImRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkIn1dLCJvcGVuc3RhY2tfaWRwX2lkIjoiaWRwIiwib3BlbnN0YWN"
    "rX3Byb3RvY29sX2lkIjoib2lkYyIsIm9wZW5zdGFja190aHVtYnByaW50IjoieCJ9.nieEUv-dgR4E6i6Pbh_727akI5m1ztuwwt"
    "bB0-uwYMSUHfuW9FT-En7gXSi9t21POMFFPsw-rCLNLpQbw_NkIA"
)
"""Both are PyJWT's work, with the claims of the reference service; the second one is bound to a certificate."""


@JWS
async def test_a_token_of_another_implementation_is_read_where_its_key_is_known(cloud: Cloud, public: Path) -> None:
    with pytest.raises(Unreadable):
        await cloud.room.tokens.unseal(ELSEWHERE)
    (public / "elsewhere.pem").write_text(PEM)
    token = await cloud.room.tokens.unseal(ELSEWHERE)
    assert (token.user_id, token.project_id, token.domain_id, token.system) == ("a" * 32, "b" * 32, "", False)
    assert token.methods == ("mapped", "token")
    assert token.audit_ids == ("HcLtSXUnTK-0aNLWDjjjHA", "1qZ8W1hCQ1mF2_pDM5rTXQ")
    assert (token.group_ids, token.provider_id, token.protocol_id) == (("d" * 32,), "idp", "oidc")
    assert (token.issued_at, token.expires_at) == (1_700_000_000 * SECOND, 1_700_003_600 * SECOND)
    with pytest.raises(Unreadable, match="certificate"):
        await cloud.room.tokens.unseal(BOUND)


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@JWS
async def test_everybody_can_check_a_token_with_a_public_key(cloud: Cloud, public: Path) -> None:
    me = await cloud.login("demo")
    head, claims, signature = me.token.split(".")
    assert msgspec.json.decode(decoded(head)) == {"alg": "ES256", "typ": "JWT"}
    said = msgspec.json.decode(decoded(claims))
    assert said["exp"] - said["iat"] == 3600
    assert said == {
        "sub": me.body["user"]["id"],
        "iat": said["iat"],
        "exp": said["exp"],
        "openstack_methods": ["password"],
        "openstack_audit_ids": me.body["audit_ids"],
        "openstack_project_id": me.body["project"]["id"],
    }
    raw = decoded(signature)
    numbers = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    assert cloud.room.tokens.chosen.keys is not None
    key = serialization.load_pem_public_key((public / f"{cloud.room.tokens.chosen.keys.primary}.pem").read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(numbers, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def head_of(algorithm: str) -> str:
    return encoded(msgspec.json.encode({"alg": algorithm, "typ": "JWT"}))


def signed(algorithm: str, payload: str, key: Key) -> str:
    return jws.serialize_compact({"alg": algorithm, "typ": "JWT"}, decoded(payload), key, algorithms=[algorithm])


def under_a_secret(claims: str, secret: bytes) -> str:
    text = f"{head_of('HS256')}.{claims}"
    return f"{text}.{encoded(hmac.digest(secret, text.encode(), 'sha256'))}"


@JWS
async def test_nobody_else_can_make_a_token(cloud: Cloud, public: Path) -> None:
    me = await cloud.login("demo")
    head, claims, signature = me.token.split(".")
    said = msgspec.json.decode(decoded(claims))
    changed = encoded(msgspec.json.encode({**said, "sub": (await cloud.admin()).body["user"]["id"]}))
    none = head_of("none")
    flipped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    stranger, longer = ECKey.generate_key("P-256"), ECKey.generate_key("P-384")
    (public / "longer.pem").write_bytes(longer.as_pem(private=False))
    (public / "rsa.pem").write_bytes((rsa := RSAKey.generate_key(2048)).as_pem(private=False))
    forged = {
        "no signature": f"{none}.{claims}.",
        "any signature under none": f"{none}.{claims}.{signature}",
        "other claims": f"{head}.{changed}.{signature}",
        "another signature": f"{head}.{claims}.{flipped}",
        "half a signature": f"{head}.{claims}.{signature[:43]}",
        "a stranger's signature": signed("ES256", claims, stranger),
        "another curve": signed("ES384", claims, longer),
        "another kind of key": signed("RS256", claims, rsa),
        "another algorithm's name": f"{head_of('ES384')}.{claims}.{signature}",
        "no header": f"{encoded(b'[]')}.{claims}.{signature}",
        "a part too many": f"{me.token}.{signature}",
    }
    for file in public.glob("*.pem"):
        forged[f"{file.name} as a secret"] = under_a_secret(claims, file.read_bytes())
    assert await accepts(cloud, me.token)
    for how, token in forged.items():
        assert not await accepts(cloud, token), how


@JWS
@pytest.mark.parametrize(
    "changed",
    [
        {"sub": None},
        {"sub": 5},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 10**30},
        {"iat": -1},
        {"openstack_methods": "password"},
        {"openstack_audit_ids": []},
        {"openstack_audit_ids": ["ä"]},
        {"openstack_group_ids": ["d"]},
        {"openstack_project_id": []},
    ],
)
async def test_claims_that_make_no_sense_make_no_token(cloud: Cloud, changed: dict[str, Any]) -> None:
    me = await cloud.login("demo")
    said = {**msgspec.json.decode(decoded(me.token.split(".")[1])), **changed}
    key = ECKey.import_key((cloud.room.settings.state / "jws-keys/private/private.pem").read_bytes())
    assert not await accepts(cloud, signed("ES256", encoded(msgspec.json.encode(said)), key))
    assert await accepts(cloud, me.token)


@JWS
async def test_a_public_key_is_kept_as_long_as_its_tokens_live(cloud: Cloud, public: Path) -> None:
    keys = cloud.room.tokens.chosen.keys
    assert keys is not None
    old = await cloud.login("demo")
    first = keys.primary
    keys.rotate()
    second = keys.primary
    keys.rotate()
    assert len({first, second, keys.primary}) == 3
    assert await accepts(cloud, old.token)
    assert await accepts(cloud, (await cloud.login("demo")).token)
    cloud.room.clock.jump(USEFUL + 1)
    keys.rotate()
    assert not [file.name for file in public.iterdir() if file.name.startswith((first, second))]
    assert len(list(public.iterdir())) == 3


@JWS
async def test_a_turn_that_was_killed_halfway_is_mended(cloud: Cloud, public: Path) -> None:
    keys = cloud.room.tokens.chosen.keys
    assert keys is not None
    name, before = keys.primary, sorted(public.iterdir())
    (public / f"{name}.pem").rename(public / f"{name}.until-1.pem")  # dated, and killed before another key signs
    keys.make()
    assert sorted(public.iterdir()) == before
    (public.parent / "private" / "staged.pem").replace(
        public.parent / "private" / "private.pem"
    )  # killed before staging
    keys.make()
    assert keys.primary != name
    assert (public.parent / "private" / "staged.pem").exists()
    assert await accepts(cloud, (await cloud.login("demo")).token)


@JWS
async def test_each_process_may_sign_with_a_key_of_its_own(
    cloud: Cloud, public: Path, database: Database, bus: MemoryBus, tmp_path: Path
) -> None:
    other = await open_cloud(database, bus, tmp_path / "other", clock=cloud.room.clock, token_provider="jws")
    me = await other.login("demo")
    assert not await accepts(cloud, me.token)
    for file in (tmp_path / "other/jws-keys/public").iterdir():
        shutil.copy(file, public)
    (public / "broken.pem").write_text("-----BEGIN PUBLIC KEY-----\nno\n")
    assert await accepts(cloud, me.token)
    keys = cloud.room.tokens.chosen.keys
    assert keys is not None
    for _ in range(2):
        cloud.room.clock.jump(USEFUL + 1)
        keys.rotate()
    assert await accepts(cloud, (await other.login("demo")).token), "keys of others are not ours to forget"


@JWS
def test_private_keys_are_for_their_owner_only(cloud: Cloud, public: Path) -> None:
    private = public.parent / "private"
    assert sorted(file.name for file in private.iterdir()) == ["private.pem", "staged.pem"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in private.iterdir())
    assert stat.S_IMODE(private.stat().st_mode) == stat.S_IMODE(public.parent.stat().st_mode) == 0o700
