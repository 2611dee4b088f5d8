"""The official command line registers those who vouch for people."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.openstack_shell import OpenStackShell

RULES = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "REMOTE_USER"}]}]


async def test_what_an_operator_registers(openstack: OpenStackShell, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(RULES))
    provider = await openstack.json("identity provider create --remote-id https://a.test --description here shell")
    assert (provider["id"], provider["enabled"], provider["remote_ids"]) == ("shell", True, ["https://a.test"])
    await openstack.silent("identity provider set --disable --authorization-ttl 5 shell")
    shown = await openstack.json("identity provider show shell")
    assert (shown["enabled"], shown["authorization_ttl"]) == (False, 5)
    assert "shell" in [row["ID"] for row in await openstack.json("identity provider list")]
    assert (await openstack.json(f"mapping create --rules {rules} shell"))["rules"] == RULES
    await openstack.silent(f"mapping set --rules {rules} shell")
    way = "--identity-provider shell"
    made = await openstack.json(f"federation protocol create {way} --mapping shell mapped")
    assert (made["id"], made["mapping"]) == ("mapped", "shell")
    await openstack.silent(f"federation protocol set {way} --mapping shell mapped")
    assert [row["id"] for row in await openstack.json(f"federation protocol list {way}")] == ["mapped"]
    urls = "--auth-url https://b.test/v3 --service-provider-url https://b.test/ecp"
    assert (await openstack.json(f"service provider create {urls} shell"))["auth_url"] == "https://b.test/v3"
    await openstack.text("service provider set --disable shell")
    assert (await openstack.json("service provider show shell"))["enabled"] is False
    for thing in (f"federation protocol delete {way} mapped", "mapping delete shell", "service provider delete shell"):
        await openstack.silent(thing)
    await openstack.silent("identity provider delete shell")
