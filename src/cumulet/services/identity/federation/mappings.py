"""Mappings: rules that make a user of the attributes of a person."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.view import raw
from cumulet.core.web.wire import Anything, Enum
from cumulet.services.identity.errors import Missing, NameTaken
from cumulet.services.identity.federation.naming import chosen_id
from cumulet.services.identity.federation.rows import MappingRow
from cumulet.services.identity.federation.rules import VERSIONS, rules_of
from cumulet.services.identity.fields import Id
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.room import Identity

RULE = "identity:"


def _checked(value: Any) -> Any:
    rules_of(value)
    return value


mappings = Noun(
    "/OS-FEDERATION/mappings",
    "mapping",
    "mappings",
    MappingRow,
    [
        Field("id", Id),
        Field("rules", Anything.also(_checked), create=REQUIRED, update=REQUIRED, source=raw("rules")),
        Field("schema_version", Enum(*VERSIONS).or_null(), create=OPTIONAL, update=OPTIONAL),
    ],
    target=lambda row: {"target": {"mapping": {"id": row.id}}},
    missing=Missing,
)


@mappings.collection("PUT", RULE + "create_mapping", suffix="/{mapping_id}", status=201, body=mappings.body("create"))
async def create(room: Identity, call: Call) -> MappingRow:
    row = MappingRow(
        chosen_id(call.path["mapping_id"]),
        msgspec.json.encode(call.wish["rules"]).decode(),
        call.wish.get("schema_version") or VERSIONS[0],
        room.clock.now(),
    )
    try:
        await room.database.write(lambda tx: tx.insert(row))
    except Duplicate as taken:
        raise NameTaken(f"There is a mapping {row.id} already.") from taken
    return row


mappings.listed(RULE + "list_mappings")
mappings.shown(RULE + "get_mapping")


@mappings.update(RULE + "update_mapping", method="PATCH")
async def update(room: Identity, call: Call, row: MappingRow) -> MappingRow:
    changes = {"rules": msgspec.json.encode(call.wish["rules"]).decode()}
    if "schema_version" in call.wish:
        changes["schema_version"] = call.wish["schema_version"] or VERSIONS[0]

    return await room.database.write(lambda tx: mappings.changed(tx, row, changes))


@mappings.delete(RULE + "delete_mapping")
async def delete(room: Identity, call: Call, row: MappingRow) -> None:
    """Remove rules. A protocol that had them lets nobody in until it is given others."""
    await room.database.write(lambda tx: tx.delete(MappingRow, id=row.id))
