"""Domains whose users are kept in a real directory (OpenLDAP), seen through the API."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cumulet.services.identity.domain_config.files import BadFile, load
from tests.api.identity.cloud import Client, Cloud, by_password
from tests.support.servers import Directory, free_port, openldap

BASE = "dc=example,dc=org"
OPTIONS = {
    "user": f"cn=reader,{BASE}",
    "password": "reading",
    "suffix": BASE,
    "page_size": 100,
    "user_name_attribute": "uid",
    "user_enabled_attribute": "enabled",
}
DOWN = 503


@pytest.fixture(scope="session")
def directory() -> Iterator[Directory]:
    with openldap() as running:
        yield running


async def corp(admin: Client, directory: Directory, name: str = "corp", **options: Any) -> str:
    """A domain whose users are in the directory; its id."""
    domain = (await admin.post("/domains", {"domain": {"name": name}}))["domain"]["id"]
    config = {"identity": {"driver": "ldap"}, "ldap": {"url": directory.url, **OPTIONS, **options}}
    await admin.put(f"/domains/{domain}/config", {"config": config}, 201)
    return str(domain)


async def person(admin: Client, domain: str, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = (await admin.get(f"/users?domain_id={domain}&name={name}"))["users"]
    assert [user["name"] for user in found] == [name]
    return found[0]


async def group(admin: Client, domain: str, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = (await admin.get(f"/groups?domain_id={domain}&name={name}"))["groups"]
    assert [one["name"] for one in found] == [name]
    return found[0]


async def role(admin: Client, name: str = "member") -> str:
    return str((await admin.get(f"/roles?name={name}"))["roles"][0]["id"])


async def project(admin: Client, name: str = "work") -> str:
    return str((await admin.post("/projects", {"project": {"name": name}}))["project"]["id"])


async def test_users_are_listed_and_shown(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain = await corp(admin, directory)
    users = {user["name"]: user for user in (await admin.get(f"/users?domain_id={domain}"))["users"]}
    assert set(users) == {"alice", "bob", "carol", "d*(ve)"}
    alice = users["alice"]
    assert alice["id"] == hashlib.sha256(f"{domain}useralice".encode()).hexdigest()
    assert (alice["email"], alice["description"], alice["enabled"]) == ("alice@example.org", "The first", True)
    assert users["bob"]["enabled"] is False
    assert (await admin.get("/OS-REVOKE/events"))["events"] == []  # nobody had a token that would have to end
    assert (await admin.get(f"/users/{alice['id']}"))["user"] == alice
    assert [user["name"] for user in (await admin.get(f"/users?domain_id={domain}&enabled=false"))["users"]] == ["bob"]
    starting = await admin.get(f"/users?domain_id={domain}&name__startswith=ca")
    assert [user["name"] for user in starting["users"]] == ["carol"]
    assert {user["name"] for user in (await admin.get("/users"))["users"]} >= {"admin", "alice"}
    await admin.get(f"/users/{'0' * 64}", 404)


async def test_a_large_directory_is_read_in_pages_and_shown_in_pages(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain = await corp(admin, directory, user_tree_dn=f"ou=Many,{BASE}")
    names, marker = [], ""
    for _ in range(3):
        page = (await admin.get(f"/users?domain_id={domain}&limit=500&marker={marker}"))["users"]
        names += [user["name"] for user in page]
        marker = page[-1]["id"]
    assert sorted(names) == [f"user{number:04}" for number in range(1200)]
    # Without pages the directory gives up in the middle: nobody is taken for gone because of that.
    await admin.patch(f"/domains/{domain}/config/ldap/page_size", {"config": {"page_size": 0}})
    refused = await admin("GET", f"/users?domain_id={domain}", status=DOWN)
    assert "ldap.page_size" in refused["error"]["message"]
    assert (await admin.get(f"/users/{marker}"))["user"]["id"] == marker


async def test_the_whole_tree_or_one_level(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain = await corp(admin, directory, query_scope="sub", user_filter="(|(uid=e*)(mail=*))")
    assert {user["name"] for user in (await admin.get(f"/users?domain_id={domain}"))["users"]} == {"alice", "erik"}


async def test_referrals_are_followed_when_told_to(cloud: Cloud, directory: Directory) -> None:
    place = f"ou=Friends,{BASE}"
    directory.change(f"dn: {place}\nchangetype: add\nobjectClass: organizationalUnit\nou: Friends\n")
    there = f"{directory.url}/ou=Berlin,ou=Users,{BASE}"
    entry = f"objectClass: referral\nobjectClass: extensibleObject\nou: there\nref: {there}\n"
    directory.change(f"dn: ou=there,{place}\nchangetype: add\n{entry}")
    admin = await cloud.admin()
    domain = await corp(admin, directory, user_tree_dn=place, query_scope="sub")
    assert (await admin.get(f"/users?domain_id={domain}"))["users"] == []
    await admin.patch(f"/domains/{domain}/config", {"config": {"ldap": {"chase_referrals": True}}})
    assert [user["name"] for user in (await admin.get(f"/users?domain_id={domain}"))["users"]] == ["erik"]


async def test_groups_and_their_members(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain = await corp(admin, directory)
    groups = {one["name"]: one for one in (await admin.get(f"/groups?domain_id={domain}"))["groups"]}
    assert set(groups) == {"Developers", "Staff"}
    developers, alice = groups["Developers"], await person(admin, domain, "alice")
    assert developers["description"] == "Who write"
    assert developers["id"] == hashlib.sha256(f"{domain}groupdevelopers".encode()).hexdigest()
    members = (await admin.get(f"/groups/{developers['id']}/users"))["users"]
    assert {user["name"] for user in members} == {"alice", "carol"}
    assert [one["name"] for one in (await admin.get(f"/users/{alice['id']}/groups"))["groups"]] == ["Developers"]
    await admin.get(f"/groups/{developers['id']}/users/{alice['id']}", 204)
    bob = await person(admin, domain, "bob")
    await admin.get(f"/groups/{developers['id']}/users/{bob['id']}", 404)


async def test_members_may_be_ids(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain = await corp(
        admin,
        directory,
        group_tree_dn=f"ou=Posix,{BASE}",
        group_objectclass="posixGroup",
        group_name_attribute="cn",
        group_member_attribute="memberUid",
        group_members_are_ids=True,
    )
    by_id, alice = await group(admin, domain, "by-id"), await person(admin, domain, "alice")
    members = (await admin.get(f"/groups/{by_id['id']}/users"))["users"]
    assert {user["name"] for user in members} == {"alice", "bob"}
    assert [one["id"] for one in (await admin.get(f"/users/{alice['id']}/groups"))["groups"]] == [by_id["id"]]


async def test_the_directory_checks_passwords(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain = await corp(admin, directory)
    alice = await cloud.login("alice", "wonderland", domain=domain)
    assert alice.body["user"]["name"] == "alice"
    user = alice.body["user"]["id"]
    by_id = {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": "x"}}}}}
    await cloud.nobody()("POST", "/auth/tokens", by_id, 401)
    by_id["auth"]["identity"]["password"]["user"]["password"] = "wonderland"
    await cloud.enter(by_id)
    for name, password in (
        ("alice", "wrong"),
        ("alice", ""),  # a bind without a password succeeds, and proves nothing
        ("bob", "builder"),  # disabled
        ("erik", "spree"),  # too deep in the tree
        ("nobody", "x"),
        ("*", "wonderland"),
        ("alice)(uid=*", "wonderland"),
        ("ali*", "wonderland"),
        ("\x00", "wonderland"),
    ):
        body = by_password(name, password, domain=domain)
        response = await cloud.nobody()("POST", "/auth/tokens", body)
        assert response.status_code in (400, 401), (name, response.text)
    assert (await cloud.login("d*(ve)", "stars", domain=domain)).body["user"]["name"] == "d*(ve)"


async def test_filters_hold_names_as_values(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain = await corp(admin, directory)
    for name in ("*", "a*", "alice)(objectClass=*", "\\2a", "alice\\00"):
        found = await admin.get("/users", params={"domain_id": domain, "name": name})
        assert found["users"] == [], name
    found = await admin.get("/users", params={"domain_id": domain, "name": "d*(ve)"})
    assert len(found["users"]) == 1


async def test_roles_reach_users_and_groups(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain, work = await corp(admin, directory), await project(admin)
    member, reader = await role(admin), await role(admin, "reader")
    scope = {"project": {"id": work}}
    body = by_password("alice", "wonderland", scope, domain)
    await cloud.nobody()("POST", "/auth/tokens", body, 401)
    developers, alice = await group(admin, domain, "Developers"), await person(admin, domain, "alice")
    await admin.put(f"/projects/{work}/groups/{developers['id']}/roles/{member}")
    client = await cloud.enter(body)
    assert {one["name"] for one in client.body["roles"]} >= {"member"}
    await admin.put(f"/projects/{work}/users/{alice['id']}/roles/{reader}")
    listed = await admin.get(f"/role_assignments?effective&include_names&scope.project.id={work}")
    assert {(one["user"]["name"], one["role"]["name"]) for one in listed["role_assignments"]} >= {
        ("alice", "member"),
        ("carol", "member"),
        ("alice", "reader"),
    }
    assert [one["id"] for one in (await client.get("/auth/projects"))["projects"]] == [work]
    # What he was given can be lent, as anybody's can.
    secret = {"application_credential": {"name": "robot", "roles": [{"name": "member"}]}}
    made = (await client.post(f"/users/{alice['id']}/application_credentials", secret))["application_credential"]
    proof = {"id": made["id"], "secret": made["secret"]}
    methods = {"methods": ["application_credential"], "application_credential": proof}
    robot = await cloud.enter({"auth": {"identity": methods}})
    assert robot.body["user"]["id"] == alice["id"]


async def test_nothing_is_changed_through_the_api(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain, work = await corp(admin, directory), await project(admin)
    alice, developers = await person(admin, domain, "alice"), await group(admin, domain, "Developers")
    own = (await admin.post("/groups", {"group": {"name": "own"}}))["group"]["id"]
    for method, path, body in (
        ("POST", "/users", {"user": {"name": "x", "domain_id": domain}}),
        ("PATCH", f"/users/{alice['id']}", {"user": {"name": "x"}}),
        ("PATCH", f"/users/{alice['id']}", {"user": {"enabled": False}}),
        ("PATCH", f"/users/{alice['id']}", {"user": {"password": "x"}}),
        ("PATCH", f"/users/{alice['id']}", {"user": {"email": "x@example.org"}}),
        ("DELETE", f"/users/{alice['id']}", None),
        ("POST", f"/users/{alice['id']}/password", {"user": {"password": "x", "original_password": "wonderland"}}),
        ("POST", "/groups", {"group": {"name": "x", "domain_id": domain}}),
        ("PATCH", f"/groups/{developers['id']}", {"group": {"name": "x"}}),
        ("DELETE", f"/groups/{developers['id']}", None),
        ("PUT", f"/groups/{developers['id']}/users/{alice['id']}", None),
        ("DELETE", f"/groups/{developers['id']}/users/{alice['id']}", None),
        ("PUT", f"/groups/{own}/users/{alice['id']}", None),
    ):
        refused = await admin(method, path, body, 403)
        assert "only read here" in refused["error"]["message"], path
    assert (await admin.get(f"/users/{alice['id']}"))["user"] == alice
    # What no directory knows is ours.
    own_fields = {"default_project_id": work, "options": {"multi_factor_auth_enabled": False}}
    changed = (await admin.patch(f"/users/{alice['id']}", {"user": own_fields}))["user"]
    assert (changed["default_project_id"], changed["options"]) == (work, {"multi_factor_auth_enabled": False})
    assert (await person(admin, domain, "alice")) == changed


async def test_a_directory_may_keep_default_projects(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    work = await project(admin)
    own = {"user_default_project_id_attribute": "employeeNumber", "user_attribute_ignore": []}
    domain = await corp(admin, directory, **own)
    directory.change(
        f"dn: cn=carol,ou=Users,{BASE}\nchangetype: modify\nreplace: employeeNumber\nemployeeNumber: {work}\n"
    )
    carol = await person(admin, domain, "carol")
    assert carol["default_project_id"] == work
    await admin.patch(f"/users/{carol['id']}", {"user": {"default_project_id": None}}, 403)
    await admin.patch(f"/users/{carol['id']}", {"user": {"options": {"lock_password": True}}})
    assert (await person(admin, domain, "carol"))["default_project_id"] == work


@pytest.mark.db
async def test_who_is_disabled_or_leaves_loses_his_tokens_and_gets_his_roles_back(
    cloud: Cloud, directory: Directory
) -> None:
    dn = f"cn=gina,ou=Users,{BASE}"
    entry = "objectClass: inetOrgPerson\nobjectClass: adAccount\ncn: gina\nsn: G\nuid: gina\nuserPassword: secret\n"
    directory.change(f"dn: {dn}\nchangetype: add\n{entry}")
    admin = await cloud.admin()
    domain, work, member = await corp(admin, directory), await project(admin), await role(admin)
    gina = await person(admin, domain, "gina")
    await admin.put(f"/projects/{work}/users/{gina['id']}/roles/{member}")
    await admin.patch(f"/users/{gina['id']}", {"user": {"default_project_id": work}})
    client = await cloud.login("gina", "secret", domain=domain)
    assert client.body["project"]["id"] == work

    directory.change(f"dn: {dn}\nchangetype: modify\nreplace: enabled\nenabled: FALSE\n")
    await client.get(f"/users/{gina['id']}")  # for a moment what was known is believed
    cloud.room.clock.jump(61)
    await client.get(f"/users/{gina['id']}", 401)
    directory.change(f"dn: {dn}\nchangetype: modify\nreplace: enabled\nenabled: TRUE\n")
    admin = await cloud.admin()
    await admin.get(f"/users/{gina['id']}")
    await client.get(f"/users/{gina['id']}", 401)  # revoked for good

    client = await cloud.login("gina", "secret", domain=domain)
    directory.change(f"dn: {dn}\nchangetype: delete\n")
    assert "gina" not in {user["name"] for user in (await admin.get(f"/users?domain_id={domain}"))["users"]}
    await client.get(f"/users/{gina['id']}", 401)
    await admin.get(f"/users/{gina['id']}", 404)

    directory.change(f"dn: {dn}\nchangetype: add\n{entry}")
    back = await cloud.login("gina", "secret", domain=domain)
    assert (back.body["user"]["id"], back.body["project"]["id"]) == (gina["id"], work)
    directory.change(f"dn: {dn}\nchangetype: delete\n")


@pytest.mark.db
async def test_two_may_exchange_their_names(cloud: Cloud, directory: Directory) -> None:
    place = f"ou=Names,{BASE}"
    directory.change(f"dn: {place}\nchangetype: add\nobjectClass: organizationalUnit\nou: Names\n")
    for name in ("one", "two"):
        entry = f"objectClass: inetOrgPerson\ncn: {name}\nsn: x\nuid: {name}\n"
        directory.change(f"dn: cn={name},{place}\nchangetype: add\n{entry}")
    admin = await cloud.admin()
    domain = await corp(admin, directory, user_tree_dn=place)
    before = {user["name"]: user["id"] for user in (await admin.get(f"/users?domain_id={domain}"))["users"]}
    for name, other in (("one", "two"), ("two", "one")):
        directory.change(f"dn: cn={name},{place}\nchangetype: modify\nreplace: uid\nuid: {other}\n")
    await person(admin, domain, "one")
    after = {user["name"]: user["id"] for user in (await admin.get(f"/users?domain_id={domain}"))["users"]}
    assert after == {"one": before["two"], "two": before["one"]}
    # Of two with one name the first has it, whoever asks.
    directory.change(f"dn: cn=two,{place}\nchangetype: modify\nreplace: uid\nuid: two\n")
    for path in (f"/users?domain_id={domain}", f"/users?domain_id={domain}&name=two"):
        assert [user["id"] for user in (await admin.get(path))["users"]] == [before["one"]]
    await admin.get(f"/users/{before['two']}", 404)
    assert (await admin.get(f"/users/{before['one']}"))["user"]["name"] == "two"


@pytest.mark.parametrize(
    ("options", "enabled"),
    [
        (
            {"user_enabled_attribute": "userAccountControl", "user_enabled_mask": 2, "user_enabled_default": "512"},
            {"alice", "carol", "d*(ve)"},
        ),
        ({"user_enabled_invert": True, "user_enabled_default": "False"}, {"bob", "carol", "d*(ve)"}),
        ({"user_enabled_default": "False"}, {"alice"}),
        ({"user_enabled_emulation": True}, {"alice"}),
        (
            {"user_enabled_emulation": True, "user_enabled_emulation_dn": f"cn=developers,ou=UserGroups,{BASE}"},
            {"alice", "carol"},
        ),
        ({"user_attribute_ignore": ["enabled"]}, {"alice", "bob", "carol", "d*(ve)"}),
    ],
)
async def test_ways_to_be_enabled(
    cloud: Cloud, directory: Directory, options: dict[str, Any], enabled: set[str]
) -> None:
    admin = await cloud.admin()
    domain = await corp(admin, directory, **options)
    found = (await admin.get(f"/users?domain_id={domain}&enabled=true"))["users"]
    assert {user["name"] for user in found} == enabled


async def test_names_of_active_directory(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain = await corp(
        admin,
        directory,
        user_objectclass="adAccount",
        user_id_attribute="objectGUID",
        user_name_attribute="sAMAccountName",
        user_additional_attribute_mapping=["sn:surname"],
    )
    (carol,) = (await admin.get(f"/users?domain_id={domain}"))["users"]
    guid = "ccddeeff-aabb-8899-7766-554433221100"
    assert carol["id"] == hashlib.sha256(f"{domain}user{guid}".encode()).hexdigest()
    assert (carol["name"], carol["surname"]) == ("ccook", "Cook")
    assert (await admin.get(f"/users/{carol['id']}"))["user"] == carol
    assert (await cloud.login("ccook", "kitchen", domain=domain)).body["user"]["id"] == carol["id"]


@pytest.mark.parametrize("options", [{}, {"use_tls": True}])
async def test_the_directory_is_asked_in_secret(cloud: Cloud, directory: Directory, options: dict[str, Any]) -> None:
    admin = await cloud.admin()
    url = directory.url if options else directory.tls_url
    trusted = await corp(admin, directory, "trusted", url=url, tls_cacertfile=str(directory.ca), **options)
    await person(admin, trusted, "alice")
    await cloud.login("alice", "wonderland", domain=trusted)
    strange = await corp(admin, directory, "strange", url=url, **options)
    refused = await admin("GET", f"/users?domain_id={strange}", status=DOWN)
    assert "certificate" in refused["error"]["message"].lower()
    careless = await corp(admin, directory, "careless", url=url, tls_req_cert="never", **options)
    await person(admin, careless, "alice")


async def test_a_directory_that_is_down_is_told_at_once(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain, work, member = await corp(admin, directory), await project(admin), await role(admin)
    alice = await person(admin, domain, "alice")
    await admin.put(f"/projects/{work}/users/{alice['id']}/roles/{member}")
    client = await cloud.login("alice", "wonderland", scope={"project": {"id": work}}, domain=domain)
    await admin.patch(f"/domains/{domain}/config/ldap/url", {"config": {"url": f"ldap://127.0.0.1:{free_port()}"}})
    for method, path, body in (
        ("GET", f"/users?domain_id={domain}", None),
        ("GET", f"/groups?domain_id={domain}", None),
        ("GET", f"/users/{alice['id']}", None),
        ("POST", "/auth/tokens", by_password("alice", "wonderland", domain=domain)),
    ):
        refused = await admin(method, path, body, DOWN)
        assert "cannot be reached" in refused["error"]["message"], path
    # Any text is kept as an address, and told where it is used.
    await admin.patch(f"/domains/{domain}/config/ldap/url", {"config": {"url": "https://web.test"}})
    refused = await admin("GET", f"/users?domain_id={domain}", None, DOWN)
    assert "ldap.url: 'https://web.test' is not an address" in refused["error"]["message"]
    # Who asks for everybody is not refused because of one directory, and a token goes on with what was known.
    assert "alice" in {user["name"] for user in (await admin.get("/users"))["users"]}
    cloud.room.clock.jump(61)
    assert [one["id"] for one in (await client.get("/auth/projects"))["projects"]] == [work]
    # A new try after a moment finds it again.
    await admin.patch(f"/domains/{domain}/config/ldap/url", {"config": {"url": directory.url}})
    await person(admin, domain, "alice")


@contextmanager
def silence(*, accepts: bool) -> Iterator[socket.socket]:
    """Somebody who never says a word; he may not even take a connection."""
    with ExitStack() as sockets:
        silent = sockets.enter_context(socket.socket())
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(0 if accepts else 3):
            filling = sockets.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(silent.getsockname())
        yield silent


@pytest.mark.parametrize(("accepts", "why"), [(True, "silent"), (False, "did not answer")])
async def test_a_silent_directory_blocks_nobody(cloud: Cloud, directory: Directory, accepts: bool, why: str) -> None:
    admin = await cloud.admin()
    with silence(accepts=accepts) as silent:
        url = f"ldap://127.0.0.1:{silent.getsockname()[1]}"
        hasty = await corp(admin, directory, url=url, connection_timeout=1)
        refused = await admin("GET", f"/users?domain_id={hasty}", status=DOWN)
        assert why in refused["error"]["message"]
        patient = await corp(admin, directory, "patient", url=url, connection_timeout=30)
        waiting = asyncio.create_task(admin("GET", f"/users?domain_id={patient}", status=DOWN))
        for _ in range(3):
            await admin.get("/regions")
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])


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
