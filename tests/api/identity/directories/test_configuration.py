"""Pointing a domain at a directory, and taking it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.services.identity.domain_config.files import BadFile, load
from tests.api.identity.cloud import Cloud, by_password
from tests.api.identity.directories.corp import OPTIONS, corp, person, project, role
from tests.support.servers import Directory


async def test_what_an_administrator_may_set(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain = await corp(admin, directory)
    shown = (await admin.get(f"/domains/{domain}/config"))["config"]
    assert shown["ldap"]["url"] == directory.url
    assert "reading" not in str(shown)
    for option, value in (
        ("page_size", "many"),
        ("query_scope", "two"),
        ("user_filter", "(uid=*"),
        ("use_tls", "perhaps"),
        ("tls_req_cert", "please"),
        ("user_additional_attribute_mapping", ["sn"]),
        ("user_additional_attribute_mapping", ["userPassword:password"]),
    ):
        body = {"config": {"ldap": {option: value}}}
        refused = await admin.patch(f"/domains/{domain}/config", body, 400)
        assert f"ldap.{option}" in refused["error"]["message"], option
    assert (await admin.get(f"/domains/{domain}/config"))["config"] == shown
    # Users of its own would be hidden.
    other = (await admin.post("/domains", {"domain": {"name": "own"}}))["domain"]["id"]
    await admin.post("/users", {"user": {"name": "someone", "domain_id": other}})
    config = {"config": {"identity": {"driver": "ldap"}, "ldap": {"url": directory.url}}}
    await admin.put(f"/domains/{other}/config", config, 409)
    await admin.get(f"/domains/{other}/config", 404)


async def test_configurations_come_from_files(cloud: Cloud, directory: Directory, tmp_path: Path) -> None:
    admin = await cloud.admin()
    domain = (await admin.post("/domains", {"domain": {"name": "Corp Ltd"}}))["domain"]["id"]
    options = "\n".join(f"{name} = {value}" for name, value in {"url": directory.url, **OPTIONS}.items())
    text = f"# as elsewhere\n[identity]\ndriver = ldap\n[ldap]\nuse_pool = False\n{options}\n"
    folder = tmp_path / "domains"
    with pytest.raises(BadFile, match="no folder"):
        await load(cloud.room, folder)
    folder.mkdir()
    (folder / "keystone.Corp Ltd.conf").write_text(text)
    (folder / "keystone.nowhere.conf").write_text(text)
    await load(cloud.room, folder)
    await load(cloud.room, folder)
    assert (await cloud.login("alice", "wonderland", domain=domain)).body["user"]["name"] == "alice"
    shown = (await admin.get(f"/domains/{domain}/config"))["config"]["ldap"]
    assert (shown["use_pool"], shown["page_size"], "password" in shown) == (False, 100, False)
    for wrong, why in (
        ("[ldap]\npage_size = many", "page_size"),
        ("[ldap]\nhost = x", "host"),
        ("[cache]\nx = 1", "cache"),
        ("driver = ldap", "section"),
        ("", "at least one group"),
    ):
        (folder / "keystone.Corp Ltd.conf").write_text(wrong)
        with pytest.raises(BadFile, match=f"keystone.Corp Ltd.conf.*{why}"):
            await load(cloud.room, folder)
    assert (await admin.get(f"/domains/{domain}/config"))["config"]["ldap"] == shown


async def test_only_administrators_point_the_cloud_at_a_server(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain, work, member = await corp(admin, directory), await project(admin), await role(admin, "manager")
    alice = await person(admin, domain, "alice")
    await admin.put(f"/projects/{work}/users/{alice['id']}/roles/{member}")
    await admin.put(f"/domains/{domain}/users/{alice['id']}/roles/{member}")
    for scope in ({"project": {"id": work}}, {"domain": {"id": domain}}):
        client = await cloud.login("alice", "wonderland", scope=scope, domain=domain)
        config = {"config": {"ldap": {"url": "ldap://169.254.169.254"}}}
        await client.put(f"/domains/{domain}/config", config, 403)
        await client.patch(f"/domains/{domain}/config", config, 403)
        await client.get(f"/domains/{domain}/config", 403)


async def test_what_is_ours_outlives_the_configuration(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain, work = await corp(admin, directory), await project(admin)
    alice = await person(admin, domain, "alice")
    await admin.patch(f"/users/{alice['id']}", {"user": {"default_project_id": work}})
    config = {"identity": {"driver": "ldap"}, "ldap": {"url": directory.url, **OPTIONS}}
    await admin.delete(f"/domains/{domain}/config")
    await admin.get(f"/users/{alice['id']}", 404)
    await admin.put(f"/domains/{domain}/config", {"config": config}, 201)
    assert (await person(admin, domain, "alice")) == {**alice, "default_project_id": work}


async def test_a_domain_gives_its_directory_up(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain, work, member = await corp(admin, directory), await project(admin), await role(admin)
    alice = await person(admin, domain, "alice")
    await admin.put(f"/projects/{work}/users/{alice['id']}/roles/{member}")
    client = await cloud.login("alice", "wonderland", domain=domain)
    await admin.delete(f"/domains/{domain}/config")
    assert (await admin.get(f"/users?domain_id={domain}"))["users"] == []
    await client.get("/auth/projects", 401)
    await cloud.nobody()("POST", "/auth/tokens", by_password("alice", "wonderland", domain=domain), 401)
    await admin.post("/users", {"user": {"name": "alice", "domain_id": domain}})
    await admin.patch(f"/domains/{domain}", {"domain": {"enabled": False}})
    await admin.delete(f"/domains/{domain}")
