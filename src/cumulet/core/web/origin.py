"""One origin for the whole cloud: the first part of a path names the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cumulet.core.web.request import Receive, Response, Scope, Send

Door = Callable[..., Awaitable[None]]


class Origin:
    """Hands each request to the door its path names: `/compute/…` to compute, `/v3` (and `/`) to identity."""

    def __init__(
        self, doors: Mapping[str, Door], *, root: Door | None = None, bare: Mapping[str, Door] | None = None
    ) -> None:
        self._doors = dict(doors)
        """By the first part of the path, which the door does not see."""
        self._bare = dict(bare or {})
        """By the first part of the path, which the door sees."""
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        first = scope["path"].lstrip("/").partition("/")[0]
        door: Any = self._doors.get(first)
        if door is not None:
            await door(scope, receive, send, f"/{first}")
            return
        door = self._bare.get(first) or (self._root if not first else None)
        if door is not None:
            await door(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 4404})
            return
        known = ", ".join(f"/{name}" for name in sorted(self._doors))
        message = f"No service stands at /{first[:60]}. Known here: {known}."
        await Response.json(404, {"error": {"code": 404, "title": "Not Found", "message": message}}).send(send)
