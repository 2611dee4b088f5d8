"""What a client sees and sends of a policy."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter
from cumulet.core.web.view import raw
from cumulet.core.web.wire import Anything, Text
from cumulet.lib.ids import new_hex
from cumulet.services.identity.endpoint_policies.rows import AssociationRow, PolicyRow
from cumulet.services.identity.errors import Missing
from cumulet.services.identity.fields import Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.room import Identity

RULE = "identity:"


def _text(value: Any) -> str:
    """The column's text: JSON, since clients send texts as well as objects."""
    return msgspec.json.encode(value).decode()


policies = Noun(
    "/policies",
    "policy",
    "policies",
    PolicyRow,
    [
        Field("id", Id),
        Field("type", Text(255, 1), create=REQUIRED, update=OPTIONAL),
        Field("blob", Anything, create=REQUIRED, update=OPTIONAL, source=raw("blob")),
    ],
    filters=[Filter("type")],
    target=lambda row: {"target": {"policy": {"id": row.id}}},
    missing=Missing,
)


@policies.create(RULE + "create_policy")
async def create(room: Identity, call: Call) -> PolicyRow:
    wish = call.wish
    row = PolicyRow(new_hex(), wish["type"], _text(wish["blob"]), policies.extras(call), room.clock.now())
    await room.database.write(lambda tx: tx.insert(row))
    return row


policies.listed(RULE + "list_policies")
policies.shown(RULE + "get_policy")


@policies.update(RULE + "update_policy", method="PATCH")
async def update(room: Identity, call: Call, row: PolicyRow) -> PolicyRow:
    wish = call.wish
    changes: dict[str, Any] = {"extra": policies.extras(call, row)}
    if "type" in wish:
        changes["type"] = wish["type"]
    if "blob" in wish:
        changes["blob"] = _text(wish["blob"])

    return await room.database.write(lambda tx: policies.changed(tx, row, changes))


@policies.delete(RULE + "delete_policy")
async def delete(room: Identity, call: Call, row: PolicyRow) -> None:
    async def write(tx: Transaction) -> None:
        await tx.delete(AssociationRow, policy_id=row.id)
        await tx.delete(PolicyRow, id=row.id)

    await room.database.write(write)
