"""Who may do what in identity: each verb with the answer that each kind of person gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.api.identity.cloud import PASSWORD, Client, Cloud, by_token, open_cloud

PEOPLE = (
    "admin",
    "system_reader",
    "domain_admin",
    "domain_manager",
    "domain_reader",
    "other_manager",
    "member",
    "stranger",
    "nobody",
)
"""`domain_…` for the domain in question, `other_manager` for another one; `member` is the user in question, with a role
in the project in question; `stranger` has a role elsewhere; `nobody` has no token."""

TABLE: dict[str, tuple[int, ...]] = {
    #                                       admin sys_r dom_a dom_m dom_r other member strg nobody
    "GET /users": (200, 200, 200, 200, 200, 200, 403, 403, 401),
    "GET /users/{user}": (200, 200, 200, 200, 200, 403, 200, 403, 401),
    "GET /users/missing": (404, 404, 404, 403, 403, 403, 403, 403, 401),
    "POST /users": (201, 403, 201, 201, 403, 403, 403, 403, 401),
    "PATCH /users/{user}": (200, 403, 200, 200, 403, 403, 403, 403, 401),
    "DELETE /users/{victim}": (204, 403, 204, 204, 403, 403, 403, 403, 401),
    "GET /users/{user}/projects": (200, 200, 200, 200, 200, 403, 200, 403, 401),
    "GET /users/{user}/groups": (200, 200, 200, 200, 200, 403, 200, 403, 401),
    "GET /users/{user}/application_credentials": (200, 200, 403, 403, 403, 403, 200, 403, 401),
    "POST /users/{user}/application_credentials": (403, 403, 403, 403, 403, 403, 201, 403, 401),
    "GET /users/{user}/access_rules": (403, 200, 403, 403, 403, 403, 200, 403, 401),
    "GET /users/{user}/credentials/OS-EC2": (200, 200, 403, 403, 403, 403, 200, 403, 401),
    "POST /users/{user}/credentials/OS-EC2": (201, 403, 403, 403, 403, 403, 201, 403, 401),
    "GET /groups": (200, 200, 200, 200, 200, 200, 403, 403, 401),
    "GET /groups/{group}": (200, 200, 200, 200, 200, 403, 403, 403, 401),
    "POST /groups": (201, 403, 201, 201, 403, 403, 403, 403, 401),
    "PUT /groups/{group}/users/{user}": (204, 403, 204, 204, 403, 403, 403, 403, 401),
    "GET /groups/{group}/users": (200, 200, 200, 200, 200, 403, 403, 403, 401),
    "DELETE /groups/{group}": (204, 403, 204, 204, 403, 403, 403, 403, 401),
    "GET /projects": (200, 200, 200, 200, 200, 200, 403, 403, 401),
    "GET /projects/{project}": (200, 200, 200, 200, 200, 403, 200, 403, 401),
    "POST /projects": (201, 403, 201, 201, 403, 403, 403, 403, 401),
    "PATCH /projects/{project}": (200, 403, 200, 200, 403, 403, 403, 403, 401),
    "PUT /projects/{project}/tags/x": (201, 403, 201, 201, 403, 403, 403, 403, 401),
    "DELETE /projects/{spare}": (204, 403, 204, 204, 403, 403, 403, 403, 401),
    "GET /domains": (200, 200, 200, 200, 200, 200, 403, 403, 401),
    "GET /domains/{domain}": (200, 200, 200, 200, 200, 403, 200, 403, 401),
    "POST /domains": (201, 403, 403, 403, 403, 403, 403, 403, 401),
    "PATCH /domains/{domain}": (200, 403, 403, 403, 403, 403, 403, 403, 401),
    "GET /domains/{domain}/config": (404, 404, 403, 403, 403, 403, 403, 403, 401),
    "GET /roles": (200, 200, 200, 200, 403, 200, 403, 403, 401),
    "GET /roles/{member}": (200, 200, 200, 200, 403, 200, 403, 403, 401),
    "POST /roles": (201, 403, 403, 403, 403, 403, 403, 403, 401),
    "GET /role_assignments": (200, 200, 200, 200, 200, 200, 403, 403, 401),
    "GET /role_inferences": (200, 200, 403, 403, 403, 403, 403, 403, 401),
    "PUT /projects/{project}/users/{user}/roles/{reader}": (204, 403, 204, 204, 403, 403, 403, 403, 401),
    "PUT /projects/{project}/users/{user}/roles/{admin}": (204, 403, 204, 403, 403, 403, 403, 403, 401),
    "PUT /system/users/{user}/roles/{reader}": (204, 403, 403, 403, 403, 403, 403, 403, 401),
    "GET /projects/{project}/users/{user}/roles": (200, 200, 200, 200, 200, 403, 403, 403, 401),
    "GET /services": (200, 200, 403, 403, 403, 403, 403, 403, 401),
    "GET /endpoints": (200, 200, 403, 403, 403, 403, 403, 403, 401),
    "POST /services": (201, 403, 403, 403, 403, 403, 403, 403, 401),
    "GET /regions": (200, 200, 200, 200, 200, 200, 200, 200, 401),
    "POST /regions": (201, 403, 403, 403, 403, 403, 403, 403, 401),
    "GET /policies": (200, 200, 403, 403, 403, 403, 403, 403, 401),
    "GET /credentials": (200, 200, 200, 200, 200, 200, 200, 200, 401),
    "GET /limits": (200, 200, 200, 200, 200, 200, 200, 200, 401),
    "GET /registered_limits": (200, 200, 200, 200, 200, 200, 200, 200, 401),
    "GET /OS-TRUST/trusts": (200, 200, 403, 403, 403, 403, 403, 403, 401),
    "GET /OS-EP-FILTER/endpoint_groups": (200, 200, 403, 403, 403, 403, 403, 403, 401),
    "GET /OS-REVOKE/events": (200, 403, 403, 403, 403, 403, 403, 403, 401),
    "GET /OS-FEDERATION/identity_providers": (200, 200, 403, 403, 403, 403, 403, 403, 401),
    "PUT /OS-FEDERATION/identity_providers/new": (201, 403, 403, 403, 403, 403, 403, 403, 401),
    "GET /OS-FEDERATION/identity_providers/missing": (404, 404, 403, 403, 403, 403, 403, 403, 401),
    "GET /OS-FEDERATION/identity_providers/missing/protocols": (404, 404, 403, 403, 403, 403, 403, 403, 401),
    "PUT /OS-FEDERATION/identity_providers/missing/protocols/new": (404, 403, 403, 403, 403, 403, 403, 403, 401),
    "GET /OS-FEDERATION/mappings": (200, 200, 403, 403, 403, 403, 403, 403, 401),
    "PUT /OS-FEDERATION/mappings/new": (201, 403, 403, 403, 403, 403, 403, 403, 401),
    "DELETE /OS-FEDERATION/mappings/missing": (404, 403, 403, 403, 403, 403, 403, 403, 401),
    "GET /OS-FEDERATION/service_providers": (200, 200, 403, 403, 403, 403, 403, 403, 401),
    "PUT /OS-FEDERATION/service_providers/new": (201, 403, 403, 403, 403, 403, 403, 403, 401),
    "GET /auth/projects": (200, 200, 200, 200, 200, 200, 200, 200, 401),
    "GET /auth/domains": (200, 200, 200, 200, 200, 200, 200, 200, 401),
    "GET /auth/system": (200, 200, 200, 200, 200, 200, 200, 200, 401),
    "GET /auth/catalog": (200, 200, 200, 200, 200, 200, 200, 200, 401),
}

BODIES: dict[str, Any] = {
    "POST /users": {"user": {"name": "new", "domain_id": "{domain}"}},
    "PATCH /users/{user}": {"user": {"description": "changed"}},
    "POST /users/{user}/application_credentials": {"application_credential": {"name": "robot"}},
    "POST /users/{user}/credentials/OS-EC2": {"tenant_id": "{project}"},
    "POST /groups": {"group": {"name": "new", "domain_id": "{domain}"}},
    "POST /projects": {"project": {"name": "new", "domain_id": "{domain}"}},
    "PATCH /projects/{project}": {"project": {"description": "changed"}},
    "POST /domains": {"domain": {"name": "new"}},
    "PATCH /domains/{domain}": {"domain": {"description": "changed"}},
    "POST /roles": {"role": {"name": "new"}},
    "POST /services": {"service": {"type": "new"}},
    "POST /regions": {"region": {"id": "new"}},
    "PUT /OS-FEDERATION/identity_providers/new": {"identity_provider": {}},
    "PUT /OS-FEDERATION/identity_providers/missing/protocols/new": {"protocol": {"mapping_id": "any"}},
    "PUT /OS-FEDERATION/mappings/new": {
        "mapping": {"rules": [{"local": [{"user": {"name": "x"}}], "remote": [{"type": "x"}]}]}
    },
    "PUT /OS-FEDERATION/service_providers/new": {"service_provider": {"auth_url": "http://x", "sp_url": "http://y"}},
}


class Stage:
    """Two domains with their people, and the ids of everything."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.ids: dict[str, str] = {}
        self.people: dict[str, Client] = {"nobody": cloud.nobody()}

    async def build(self) -> Stage:
        admin = self.people["admin"] = await self.cloud.admin()
        self.ids |= {role["name"]: role["id"] for role in (await admin.get("/roles"))["roles"]}
        for name in ("domain", "other"):
            self.ids[name] = (await admin.post("/domains", {"domain": {"name": name}}))["domain"]["id"]
        inside = {"domain_id": self.ids["domain"]}
        for name, domain in (("project", "domain"), ("spare", "domain"), ("elsewhere", "other")):
            body = {"project": {"name": name, "domain_id": self.ids[domain]}}
            self.ids[name] = (await admin.post("/projects", body))["project"]["id"]
        self.ids["group"] = (await admin.post("/groups", {"group": {"name": "g", **inside}}))["group"]["id"]
        self.ids["victim"] = await self._user("victim", "domain")
        self.ids["user"] = await self._enter("member", "domain", "member", "project", "project")
        await self._enter("system_reader", "domain", "reader", "system", "all")
        await self._enter("domain_manager", "domain", "manager", "domain", "domain")
        await self._enter("domain_reader", "domain", "reader", "domain", "domain")
        await self._enter("domain_admin", "domain", "admin", "domain", "domain")
        await self._enter("other_manager", "other", "manager", "domain", "other")
        await self._enter("stranger", "other", "member", "project", "elsewhere")
        return self

    async def _user(self, name: str, domain: str) -> str:
        body = {"user": {"name": name, "password": PASSWORD, "domain_id": self.ids[domain]}}
        made = (await self.people["admin"].post("/users", body))["user"]
        return str(made["id"])

    async def _enter(self, name: str, domain: str, role: str, kind: str, place: str) -> str:
        """A new user with one role in one place, and his token for it."""
        user_id = await self._user(name, domain)
        target = "/system" if kind == "system" else f"/{kind}s/{self.ids[place]}"
        await self.people["admin"].put(f"{target}/users/{user_id}/roles/{self.ids[role]}")
        unscoped = await self.cloud.login(name, scope="unscoped", domain=self.ids[domain])
        scope = {"system": {"all": True}} if kind == "system" else {kind: {"id": self.ids[place]}}
        self.people[name] = await self.cloud.enter(by_token(unscoped.token, scope))
        return user_id

    def filled(self, value: Any) -> Any:
        """A body with the ids in place of their names."""
        if isinstance(value, dict):
            return {key: self.filled(inner) for key, inner in value.items()}
        return value.format(**self.ids) if isinstance(value, str) else value


@pytest_asyncio.fixture
async def stage(database: Database, bus: MemoryBus, tmp_path: Path) -> Stage:
    return await Stage(await open_cloud(database, bus, tmp_path)).build()


@pytest.mark.parametrize("verb", TABLE)
async def test_each_person_gets_his_answer(stage: Stage, verb: str) -> None:
    method, path = verb.split(" ")
    found: dict[str, int] = {}
    expected = dict(zip(PEOPLE, TABLE[verb], strict=True))
    # First who is refused, for he must find it there; then from the least powerful to the most: what he may do leaves
    # nothing for the next one to trip over.
    refused = [person for person in PEOPLE if expected[person] >= 300]
    for person in refused + [person for person in reversed(PEOPLE) if person not in refused]:
        body = stage.filled(BODIES.get(verb))
        response = await stage.people[person](method, path.format(**stage.ids), body)
        found[person] = response.status_code
    done = [person for person in PEOPLE if expected[person] in (201, 204) and method in ("POST", "DELETE")]
    for person in done[:-1]:  # it was made or removed before by somebody less powerful
        assert found.pop(person) in (201, 204, 404, 409)
        del expected[person]
    assert found == expected
