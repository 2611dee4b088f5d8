"""Tags of things: `/{nouns}/{id}/tags`, the same for every noun that has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import NotFound
from cumulet.core.web.body import Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import ListOf
from cumulet.services.network.attributes import clean, read_object
from cumulet.services.network.errors import HTTPBadRequest
from cumulet.services.network.noun import Noun, again_if_doubled
from cumulet.services.network.room import Network
from cumulet.services.network.standard import MOST_TAGS, Tag, set_tags, tags_text


class TagNotFound(NotFound):
    pass


Change = Callable[[Call, list[str], Any], list[str]]
TAGS = Field("tags", ListOf(Tag, most=MOST_TAGS, unique=True))


def endpoints(noun: Noun, path: str = "") -> list[Endpoint]:
    """The six operations on the tags of one noun, below its path or another one."""
    tags = f"{path or noun.path}/{{{noun.key}}}/tags"
    one = tags + "/{tag}"
    verbs: list[tuple[str, str, Callable[[Network, Call], Awaitable[Any]], int]] = [
        ("GET", tags, _reader(noun, single=False), 200),
        ("PUT", tags, _writer(noun, "update", _replaced), 200),
        ("DELETE", tags, _writer(noun, "delete", lambda call, has, body: []), 204),
        ("GET", one, _reader(noun, single=True), 204),
        ("PUT", one, _writer(noun, "update", _added), 201),
        ("DELETE", one, _writer(noun, "delete", _removed), 204),
    ]
    return [
        Endpoint(method, path, run, status, raw=True, name=f"{method.lower()}_{noun.one}_tags")
        for method, path, run, status in verbs
    ]


def _replaced(call: Call, has: list[str], body: Any) -> list[str]:
    if not isinstance(body, dict) or set(body) != {"tags"}:
        raise HTTPBadRequest("Invalid tags body. The body must hold 'tags', a list of text, and nothing else.")
    found: list[str] = clean(TAGS, body["tags"])
    return found


def _added(call: Call, has: list[str], body: Any) -> list[str]:
    tag = call.path["tag"]
    clean(Field("tag", Tag), tag)
    if tag not in has and len(has) >= MOST_TAGS:
        raise HTTPBadRequest(f"Invalid input for tags. Reason: there are {MOST_TAGS} tags, the most there may be.")
    return [*has, tag]


def _removed(call: Call, has: list[str], body: Any) -> list[str]:
    tag = call.path["tag"]
    if tag not in has:
        raise TagNotFound(f"Tag {tag[:60]} could not be found.")
    return [other for other in has if other != tag]


def _reader(noun: Noun, *, single: bool) -> Callable[[Network, Call], Awaitable[Any]]:
    async def run(room: Network, call: Call) -> Any:
        async with room.database.read() as tx:
            row = await noun.sought(tx, call, call.path[noun.key])
        target = noun.target_of(call, row)
        if not call.may(f"get_{noun.rule}:tags", target):
            raise noun.no_such(row.id)
        if not single:
            return {"tags": msgspec.Raw(row.tags.encode())}
        if call.path["tag"] not in msgspec.json.decode(row.tags):
            raise TagNotFound(f"Tag {call.path['tag'][:60]} could not be found.")
        return None

    return run


def _writer(noun: Noun, verb: str, change: Change) -> Callable[[Network, Call], Awaitable[Any]]:
    async def run(room: Network, call: Call) -> Any:
        raw = await call.request.body(1 << 16)
        body = read_object(raw) if change is _replaced else {}

        async def write(tx: Transaction) -> str:
            row = await noun.sought(tx, call, call.path[noun.key])
            noun.allow_change(call, row, f"{verb}_{noun.rule}:tags", {})
            tags = change(call, msgspec.json.decode(row.tags), body)
            saved = await noun.save(room, tx, row, tags=tags_text(tags))
            if saved is not row:
                await set_tags(tx, row.id, tags)
            return str(saved.tags)

        text = await room.database.write(again_if_doubled(write))
        if change is _replaced:
            return {"tags": msgspec.Raw(text.encode())}
        return None

    return run
