"""How every operation of placement is declared: its rule is asked before anything is looked up, and since 1.15 its
answer says how fresh it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from cumulet.core.db import Duplicate
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import UNREADABLE, Body, InvalidField
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.resource import JSON_LIMIT, Endpoint
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Wire
from cumulet.lib.clock import SECOND
from cumulet.services.placement.errors import ConcurrentUpdate
from cumulet.services.placement.room import Placement

Handler = Callable[[Placement, Call], Awaitable[Any]]
H = TypeVar("H", bound=Handler)

FRESHNESS_SINCE = version("1.15")
LONG_BODY = 4 << 20
"""Bytes of a body that speaks of many consumers."""


class Verbs:
    """The endpoints of a noun, in the order of their declaration."""

    def __init__(self) -> None:
        self.endpoints: list[Endpoint] = []

    def __call__(
        self,
        method: str,
        path: str,
        rule: str,
        *,
        status: int | Mapping[str, int] = 200,
        body: Body | None = None,
        since: str = "",
        until: str = "",
        limit: int = JSON_LIMIT,
    ) -> Callable[[H], H]:
        """Declare one. Without a rule the handler asks its own."""

        def declare(handler: H) -> H:
            async def run(room: Placement, call: Call) -> Any:
                if rule:
                    call.allow(rule, {})
                try:
                    result = await handler(room, call)
                except Duplicate as error:
                    raise ConcurrentUpdate("Somebody else wrote the same at this moment: look again.") from error
                if result is not None and call.version >= FRESHNESS_SINCE:
                    call.response_headers.setdefault("last-modified", http_date(room.clock.now()))
                    call.response_headers["cache-control"] = "no-cache"
                return result

            endpoint = Endpoint(
                method, path, run, status, since=since, until=until, body=body, name=handler.__name__, limit=limit
            )
            self.endpoints.append(endpoint)
            return handler

        return declare


class Document(Body):
    """A body that is one value of a kind, such as a list, with no name around it. The wish holds it as `document`."""

    def __init__(self, kind: Wire) -> None:
        super().__init__("", ())
        self._document = kind

    def read(self, raw: bytes, version: int) -> dict[str, Any]:
        kind = self._document
        try:
            return {"document": kind.clean(msgspec.json.decode(raw, type=kind.type_at(version)), version)}
        except (msgspec.ValidationError, InvalidField) as error:
            raise BadRequest(f"JSON does not validate: {error}") from error
        except UNREADABLE as error:
            raise BadRequest(f"Malformed JSON: {error}. Check its syntax.") from error
        except ValueError as error:
            raise BadRequest(f"JSON does not validate: {error}") from error


def http_date(instant: int) -> str:
    return formatdate(instant / SECOND, usegmt=True)


def modified(call: Call, instant: int) -> None:
    """The answer tells of something that last changed then."""
    if call.version >= FRESHNESS_SINCE:
        call.response_headers["last-modified"] = http_date(instant)


def place(call: Call, path: str) -> str:
    """A link to something of this service: a path without the host, as placement writes them."""
    return urlsplit(call.base).path + path


def created(call: Call, path: str, status: int = 201, body: Any = None) -> Response:
    """The answer to a successful creation: where the new thing stands, and perhaps how it looks."""
    location = {"location": call.base + path}
    return Response(status, headers=location) if body is None else Response.json(status, body, location)


def known_only(call: Call, *names: str) -> None:
    """Raise BadRequest for a query parameter that is none of these."""
    for name, _ in call.request.query:
        if name not in names:
            raise BadRequest(f"Invalid query string parameters: {name[:60]!r} is not known at this microversion.")
