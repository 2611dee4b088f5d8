"""What people in a directory may do here, and when it ends."""

from __future__ import annotations

import pytest

from tests.api.identity.cloud import Cloud, by_password
from tests.api.identity.directories.corp import BASE, corp, group, person, project, role
from tests.support.servers import Directory


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
