"""A room's API asked by another room of the same process, in the name of a caller who is known already.

For what merely passes a request on. Checks, rules, quotas and shapes are those that the caller would meet at the
service itself, because it is the same front door; only the network between is left out.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.core.errors import Unauthorized
from cumulet.core.room import Room
from cumulet.core.web.request import Request
from cumulet.core.web.service import FrontDoor, Service
from cumulet.lib.ids import request_id


class Within:
    """Asks the service of one room."""

    def __init__(self, service: Service, room: Room) -> None:
        self._prefix = service.prefix
        self._door = FrontDoor(service, room, _nobody_comes_with_a_token)

    async def ask(
        self,
        caller: Caller,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        content_type: str = "application/json",
    ) -> Any:
        """What the service answers, read from JSON; None where it says nothing. Raises its CloudErrors."""
        raw = b"" if body is None else msgspec.json.encode(body)

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        scope = {
            "type": "http",
            "method": method,
            "headers": [(b"content-type", content_type.encode("ascii"))],
            "query_string": urlencode(query).encode("ascii"),
        }
        request = Request(scope, receive, self._prefix + path, request_id())
        answer = await self._door.answer(request, caller)
        return msgspec.json.decode(answer.body) if answer.body else None


async def _nobody_comes_with_a_token(token: str, service_token: str) -> Caller:
    raise Unauthorized("A neighbour asks in the name of a caller who is known already.")
