"""Consumers: programs that may ask users to lend them roles."""

from __future__ import annotations

import secrets
from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.view import or_null
from cumulet.lib.ids import new_hex
from cumulet.services.identity.errors import InvalidValue, Missing
from cumulet.services.identity.fields import Description, Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.oauth.rows import AccessTokenRow, ConsumerRow, RequestTokenRow
from cumulet.services.identity.room import Identity

RULE = "identity:"

consumers = Noun(
    "/OS-OAUTH1/consumers",
    "consumer",
    "consumers",
    ConsumerRow,
    [
        Field("id", Id),
        Field("description", Description.or_null(), create=OPTIONAL, update=OPTIONAL, source=or_null("description")),
    ],
    target=lambda row: {},
    missing=Missing,
)


@consumers.create(RULE + "create_consumer")
async def create(room: Identity, call: Call) -> dict[str, Any]:
    """The only answer that shows the secret."""
    secret = secrets.token_hex(16)
    sealed = room.credential_keys.fernet.encrypt(secret.encode()).decode()
    description = call.wish.get("description") or ""
    row = ConsumerRow(new_hex(), description, sealed, consumers.extras(call), room.clock.now())
    await room.database.write(lambda tx: tx.insert(row))
    return {"consumer": {**consumers.show_row(call, row), "secret": secret}}


consumers.listed(RULE + "list_consumers")
consumers.shown(RULE + "get_consumer")


@consumers.update(RULE + "update_consumer", method="PATCH")
async def update(room: Identity, call: Call, row: ConsumerRow) -> ConsumerRow:
    if "secret" in call.wish["extra"]:
        raise InvalidValue("secret: the secret of a consumer cannot be changed.")
    changes: dict[str, Any] = {"extra": consumers.extras(call, row)}
    if "description" in call.wish:
        changes["description"] = call.wish["description"] or ""

    return await room.database.write(lambda tx: consumers.changed(tx, row, changes))


@consumers.delete(RULE + "delete_consumer")
async def delete(room: Identity, call: Call, row: ConsumerRow) -> None:
    async def write(tx: Transaction) -> None:
        await tx.delete(RequestTokenRow, consumer_id=row.id)
        await tx.delete(AccessTokenRow, consumer_id=row.id)
        await tx.delete(ConsumerRow, id=row.id)

    await room.change(write)
