"""How a request is passed on to a neighbour, and how it may be refused there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from cumulet.core.errors import BadRequest, Conflict, NotFound, OverQuota
from cumulet.core.web.call import Call
from cumulet.core.web.within import Within
from cumulet.lib.ids import is_uuid

LAST = "2.35"
"""The last microversion at which compute stood in for its neighbours."""


async def ask(
    neighbour: Within,
    call: Call,
    method: str,
    path: str,
    body: Any = None,
    *,
    query: Sequence[tuple[str, str]] = (),
    content_type: str = "application/json",
) -> Any:
    """The neighbour's answer. What conflicts there was always told as a bad request here."""
    try:
        return await neighbour.ask(call.caller, method, path, body, query=query, content_type=content_type)
    except OverQuota:
        raise
    except Conflict as refusal:
        raise BadRequest(refusal.message) from refusal


def named(call: Call, key: str = "id") -> str:
    """The id in the path, fit for a path again."""
    return quote(call.path[key], safe="")


def uuid_of(call: Call, noun: str) -> str:
    """The id in the path, which must look like one."""
    given = call.path["id"]
    if not is_uuid(given):
        raise BadRequest(f"{noun} id should be a UUID, not {given[:64]!r}")
    return given


def missing(noun: str, key: str) -> NotFound:
    return NotFound(f"{noun} {key[:64]} could not be found.")


def window(call: Call, found: list[Any]) -> list[Any]:
    """The part of a list that `offset` and `limit` ask for."""
    offset, limit = _number(call, "offset", 0), _number(call, "limit", len(found))
    return found[offset : offset + limit]


def _number(call: Call, name: str, default: int) -> int:
    given = call.request.one(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise BadRequest(f"{name} must be a number that is not negative, not {given[:40]!r}")
    return int(given)
