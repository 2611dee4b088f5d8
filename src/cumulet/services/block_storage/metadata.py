"""Metadata of a noun: the six verbs on `…/metadata`, the same for volumes and snapshots."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import Body
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Resource
from cumulet.core.web.wire import MapOf, Text
from cumulet.services.block_storage.errors import MetadataKeyNotFound
from cumulet.services.block_storage.room import BlockStorage

MOST = 128
KEY = r"^[^\x00]{1,255}$"
Metadata = MapOf(Text(255), key=KEY, most=MOST)
OneItem = MapOf(Text(255), key=KEY, least=1, most=1)

Alter = Callable[[dict[str, str]], None]
Change = Callable[[BlockStorage, Transaction, str, Alter], Awaitable[dict[str, str]]]
"""(room, transaction, id, alter) → the metadata after `alter` changed it as it was at that moment."""


def decoded(text: str) -> dict[str, str]:
    found: dict[str, str] = msgspec.json.decode(text)
    return found


def altered(text: str, alter: Alter) -> str:
    """Metadata as JSON text, after a change within its bound."""
    found = decoded(text)
    alter(found)
    if len(found) > MOST:
        raise BadRequest(f"Metadata holds at most {MOST} items.")
    return msgspec.json.encode(found).decode()


def declare(noun: Resource, rules: dict[str, str], change: Change) -> None:
    """Give a noun its metadata. `rules` names those for get, create, update and delete."""
    whole, one = "/metadata", "/metadata/{key}"
    many_body, one_body = Body("metadata", (), kind=Metadata), Body("meta", (), kind=OneItem)

    async def changed(room: BlockStorage, row: Any, alter: Alter) -> dict[str, str]:
        return await room.database.write(lambda tx: change(room, tx, row.id, alter))

    def known(row: Any, key: str) -> str:
        found = decoded(row.metadata)
        if key not in found:
            raise MetadataKeyNotFound(f"{noun.one.capitalize()} {row.id} has no metadata with key {key[:255]}.")
        return found[key]

    @noun.item("GET", rules["get"], suffix=whole)
    async def metadata_index(room: BlockStorage, call: Call, row: Any) -> dict[str, Any]:
        return {"metadata": msgspec.Raw(row.metadata.encode())}

    @noun.item("POST", rules["create"], suffix=whole, body=many_body)
    async def metadata_create(room: BlockStorage, call: Call, row: Any) -> dict[str, Any]:
        given = call.wish["metadata"]
        return {"metadata": await changed(room, row, lambda metadata: metadata.update(given))}

    @noun.item("PUT", rules["update"], suffix=whole, body=many_body)
    async def metadata_replace(room: BlockStorage, call: Call, row: Any) -> dict[str, Any]:
        given = call.wish["metadata"]

        def alter(metadata: dict[str, str]) -> None:
            metadata.clear()
            metadata.update(given)

        return {"metadata": await changed(room, row, alter)}

    @noun.item("GET", rules["get"], suffix=one)
    async def metadata_show(room: BlockStorage, call: Call, row: Any) -> dict[str, Any]:
        key = call.path["key"]
        return {"meta": {key: known(row, key)}}

    @noun.item("PUT", rules["update"], suffix=one, body=one_body)
    async def metadata_update(room: BlockStorage, call: Call, row: Any) -> dict[str, Any]:
        given = call.wish["meta"]
        if call.path["key"] not in given:
            raise BadRequest("Request body and URI mismatch: the body's only key must be the one in the URL")
        await changed(room, row, lambda metadata: metadata.update(given))
        return {"meta": given}

    @noun.item("DELETE", rules["delete"], suffix=one)
    async def metadata_delete(room: BlockStorage, call: Call, row: Any) -> None:
        key = call.path["key"]
        known(row, key)

        def alter(metadata: dict[str, str]) -> None:
            metadata.pop(key, None)

        await changed(room, row, alter)
