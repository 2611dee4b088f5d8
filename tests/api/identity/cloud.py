"""A cloud that has only identity, and its clients: each holds a real token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.web.service import FrontDoor
from cumulet.services.identity.bootstrap import Offered, bootstrap
from cumulet.services.identity.federation.oidc.outside import Ask
from cumulet.services.identity.policies import DEFAULTS
from cumulet.services.identity.public import IdentityDoor
from cumulet.services.identity.room import Identity
from cumulet.services.identity.service import service
from cumulet.services.identity.settings import Settings
from tests.support.clock import JumpingClock

PASSWORD = "correct horse"
TOKEN_PROVIDERS = ("fernet", "jws", "uuid")
OFFERED = (
    Offered("identity", "keystone", "/identity", "/v3"),
    Offered("compute", "nova", "/compute", "/v2.1"),
    Offered("object-store", "swift", "/object-store", "/v1", catalog_project=True, project_word="AUTH_"),
)


async def open_cloud(
    database: Database,
    bus: MemoryBus,
    state: Path,
    *,
    clock: JumpingClock | None = None,
    ask: Ask | None = None,
    **settings: Any,
) -> Cloud:
    """A cloud with its first rows. Hashing costs little in it, and a third wrong password locks an account."""
    chosen = Settings(state=state, **{"scrypt_log_n": 2, "lockout_attempts": 3, **settings})
    ground: dict[str, Any] = {"database": database, "bus": bus, "clock": clock or JumpingClock()}
    room = Identity(**ground, **({"ask": ask} if ask else {}), rules=Rules(DEFAULTS), settings=chosen)
    url = "http://cloud.test:5000"
    await bootstrap(room, admin_password=PASSWORD, region="RegionOne", base_url=url, services=OFFERED)
    return Cloud(room)


def by_password(name: str, password: str = PASSWORD, scope: Any = None, domain: str = "default") -> dict[str, Any]:
    """The body of an authentication by password."""
    user = {"name": name, "domain": {"id": domain}, "password": password}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if scope is not None:
        auth["scope"] = scope
    return {"auth": auth}


def by_token(token: str, scope: Any = None) -> dict[str, Any]:
    """The body of an authentication by token."""
    auth: dict[str, Any] = {"identity": {"methods": ["token"], "token": {"id": token}}}
    if scope is not None:
        auth["scope"] = scope
    return {"auth": auth}


class Cloud:
    """Identity's front door. `await cloud.login(…)` gives a client."""

    def __init__(self, room: Identity) -> None:
        self.room = room
        self.identity = IdentityDoor(room)
        self.door = FrontDoor(service(), room, self.identity.authenticate)

    async def login(self, name: str, password: str = PASSWORD, *, scope: Any = None, domain: str = "default") -> Client:
        return await self.enter(by_password(name, password, scope, domain))

    async def enter(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> Client:
        """Authenticate with any body."""
        response = await Client(self, "")("POST", "/auth/tokens", body, headers=headers or {})
        assert response.status_code == 201, response.text
        return Client(self, response.headers["x-subject-token"], response.json()["token"])

    async def admin(self) -> Client:
        return await self.login("admin")

    def nobody(self) -> Client:
        return Client(self, "")


class Client:
    """Calls identity with a token."""

    def __init__(self, cloud: Cloud, token: str, body: Any = None) -> None:
        self.cloud = cloud
        self.token = token
        self.body = body

    async def __call__(self, method: str, path: str, json: Any = None, status: int | None = None, **kwargs: Any) -> Any:
        """The response; with `status` given, its JSON, after that status was seen."""
        headers = {**({"x-auth-token": self.token} if self.token else {}), **kwargs.pop("headers", {})}
        transport = httpx.ASGITransport(app=self.cloud.door)
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test") as client:
            response = await client.request(method, "/v3" + path, json=json, headers=headers, **kwargs)
        if status is None:
            return response
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content and "json" in response.headers.get("content-type", "") else None

    async def get(self, path: str, status: int = 200, **kwargs: Any) -> Any:
        return await self("GET", path, status=status, **kwargs)

    async def head(self, path: str, status: int = 200, **kwargs: Any) -> Any:
        return await self("HEAD", path, status=status, **kwargs)

    async def post(self, path: str, json: Any = None, status: int = 201, **kwargs: Any) -> Any:
        return await self("POST", path, json, status, **kwargs)

    async def put(self, path: str, json: Any = None, status: int = 204, **kwargs: Any) -> Any:
        return await self("PUT", path, json, status, **kwargs)

    async def patch(self, path: str, json: Any = None, status: int = 200, **kwargs: Any) -> Any:
        return await self("PATCH", path, json, status, **kwargs)

    async def delete(self, path: str, status: int = 204, **kwargs: Any) -> Any:
        return await self("DELETE", path, status=status, **kwargs)
