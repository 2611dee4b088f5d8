"""A client for one service, in the same process, without sockets."""

from __future__ import annotations

from typing import Any

import httpx

from cumulet.core.web.service import FrontDoor


class Client:
    """Calls a front door as a persona, at a microversion."""

    def __init__(self, door: FrontDoor, persona: str = "member", version: str = "", prefix: str = "") -> None:
        self.door = door
        self.persona = persona
        self.version = version
        self.prefix = prefix or door.service.prefix

    def as_(self, persona: str) -> Client:
        return Client(self.door, persona, self.version, self.prefix)

    def at(self, version: str) -> Client:
        return Client(self.door, self.persona, version, self.prefix)

    async def __call__(self, method: str, path: str, json: Any = None, status: int | None = None, **kwargs: Any) -> Any:
        """The response; with `status` given, its JSON, after that status was seen."""
        headers = {"x-auth-token": self.persona, **kwargs.pop("headers", {})}
        dialect = self.door.dialect
        if self.version:
            headers["openstack-api-version"] = f"{dialect.service} {self.version}"
        transport = httpx.ASGITransport(app=self.door)
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test") as client:
            response = await client.request(method, self.prefix + path, json=json, headers=headers, **kwargs)
        if status is None:
            return response
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content and "json" in response.headers.get("content-type", "") else None

    async def get(self, path: str, status: int = 200, **kwargs: Any) -> Any:
        return await self("GET", path, status=status, **kwargs)

    async def post(self, path: str, json: Any = None, status: int = 201, **kwargs: Any) -> Any:
        return await self("POST", path, json, status, **kwargs)

    async def put(self, path: str, json: Any = None, status: int = 200, **kwargs: Any) -> Any:
        return await self("PUT", path, json, status, **kwargs)

    async def patch(self, path: str, json: Any = None, status: int = 200, **kwargs: Any) -> Any:
        return await self("PATCH", path, json, status, **kwargs)

    async def delete(self, path: str, status: int = 204, **kwargs: Any) -> Any:
        return await self("DELETE", path, status=status, **kwargs)
