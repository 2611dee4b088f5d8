"""What a directory says of users and groups, seen through the API."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.api.identity.cloud import Cloud
from tests.api.identity.directories.corp import BASE, DOWN, corp, group, person, project
from tests.support.servers import Directory


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


async def test_filters_hold_names_as_values(cloud: Cloud, directory: Directory) -> None:
    admin = await cloud.admin()
    domain = await corp(admin, directory)
    for name in ("*", "a*", "alice)(objectClass=*", "\\2a", "alice\\00"):
        found = await admin.get("/users", params={"domain_id": domain, "name": name})
        assert found["users"] == [], name
    found = await admin.get("/users", params={"domain_id": domain, "name": "d*(ve)"})
    assert len(found["users"]) == 1


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
