"""A domain whose users are kept in a directory, and finding one's way in it."""

from __future__ import annotations

from typing import Any

from tests.api.identity.cloud import Client
from tests.support.servers import Directory

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
