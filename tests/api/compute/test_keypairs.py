"""The life of a key pair."""

from __future__ import annotations

import pytest

from tests.support.client import Client

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2b3yqAG1L8UZUmwxkP2m3dG3IyTTQkdLZ8Lr6mV0eC me@laptop"

pytestmark = pytest.mark.db


async def test_a_key_is_made_seen_and_deleted(compute: Client) -> None:
    newest = compute.at("2.104")
    made = (await newest.post("/os-keypairs", {"keypair": {"name": "me", "public_key": KEY}}))["keypair"]
    assert made["name"] == "me"
    assert made["type"] == "ssh"
    assert made["user_id"] == "member-id"
    shown = (await newest.get("/os-keypairs/me"))["keypair"]
    assert shown["public_key"] == KEY
    assert shown["fingerprint"] == made["fingerprint"]
    assert [item["keypair"]["name"] for item in (await newest.get("/os-keypairs"))["keypairs"]] == ["me"]
    await newest.delete("/os-keypairs/me")
    await newest.get("/os-keypairs/me", 404)


async def test_the_oldest_version_has_no_type_and_makes_keys(compute: Client) -> None:
    made = (await compute.post("/os-keypairs", {"keypair": {"name": "old one"}}, 200))["keypair"]
    assert "type" not in made
    assert "PRIVATE KEY" in made["private_key"]
    await compute.delete("/os-keypairs/old one", 202)


async def test_the_same_name_twice_is_a_conflict_for_one_user_only(compute: Client) -> None:
    body = {"keypair": {"name": "me", "public_key": KEY}}
    await compute.post("/os-keypairs", body, 200)
    refusal = await compute.post("/os-keypairs", body, 409)
    assert "already exists" in refusal["conflictingRequest"]["message"]
    await compute.as_("stranger").post("/os-keypairs", body, 200)


async def test_the_quota_counts_keys_of_a_user(compute: Client) -> None:
    body = {"keypair": {"name": "k", "public_key": KEY}}
    for n in range(100):
        body["keypair"]["name"] = f"k{n}"
        await compute.post("/os-keypairs", body, 200)
    body["keypair"]["name"] = "one too many"
    assert "Quota exceeded" in (await compute.post("/os-keypairs", body, 403))["forbidden"]["message"]
    await compute.delete("/os-keypairs/k0", 202)
    await compute.post("/os-keypairs", body, 200)


@pytest.mark.parametrize(
    ("keypair", "field"),
    [
        ({"name": 5}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"name": "x", "colour": "red"}, "colour"),
        ({"name": "x", "public_key": "not a key"}, "public_key"),
        ({}, "name"),
    ],
)
async def test_bad_input_names_the_field_and_leaves_nothing(compute: Client, keypair: dict, field: str) -> None:
    refusal = await compute.post("/os-keypairs", {"keypair": keypair}, 400)
    assert field in refusal["badRequest"]["message"]
    assert (await compute.get("/os-keypairs"))["keypairs"] == []


async def test_pages_follow_by_name(compute: Client) -> None:
    for name in ("c", "a", "b"):
        await compute.post("/os-keypairs", {"keypair": {"name": name, "public_key": KEY}}, 200)
    page = await compute.at("2.35").get("/os-keypairs?limit=2")
    assert [item["keypair"]["name"] for item in page["keypairs"]] == ["a", "b"]
    following = page["keypairs_links"][0]["href"].partition("/v2.1")[2]
    page = await compute.at("2.35").get(following)
    assert [item["keypair"]["name"] for item in page["keypairs"]] == ["c"]
    assert "keypairs_links" not in page


async def test_an_unknown_version_is_refused(compute: Client) -> None:
    refusal = await compute.at("2.999").get("/os-keypairs", 406)
    assert "2.104" in refusal["notAcceptable"]["message"]
    await compute.at("two").get("/os-keypairs", 400)
