"""QoS specs: what volumes of some types may do in a second. They are kept for types; no backend here enforces them."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Duplicate, Id, Instant, Json, Name, Row, Short, Transaction, stored
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.view import raw
from cumulet.core.web.wire import Anything, Enum, ListOf, MapOf, Text
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage import specs
from cumulet.services.block_storage.asking import flag, page_of
from cumulet.services.block_storage.errors import InvalidInput, NameTaken, QosSpecsNotFound, TypeNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types.row import TypeRow

RULE = "volume_extension:qos_specs_manage:"
CONSUMERS = ("front-end", "back-end", "both")
MOST = 128
Specs = MapOf(Text(255).or_null(), key=r"^[a-zA-Z0-9_\-:. /]{1,255}$", most=MOST)


@stored("block_storage_qos_specs", sa.Index("block_storage_qos_specs_name", "name", unique=True))
class QosSpecsRow(Row):
    """A named set of limits."""

    id: Id
    name: Name
    consumer: Short
    specs: Json
    created_at: Instant


def _links(row: QosSpecsRow, call: Call) -> list[dict[str, str]]:
    return [
        {"rel": "self", "href": f"{call.base}/qos-specs/{row.id}"},
        {"rel": "bookmark", "href": f"{call.base.rpartition('/v3')[0]}/qos-specs/{row.id}"},
    ]


qos_specs = Resource(
    path="/qos-specs",
    one="qos_specs",
    many="qos_specs",
    key="qos_id",
    row=QosSpecsRow,
    owner="",
    guarded=True,
    extra=True,
    missing=QosSpecsNotFound,
    fields=[
        Field("id", Text()),
        Field("name", Text(255, 1).also(str.strip), create=REQUIRED),
        Field("consumer", Enum(*CONSUMERS), create="back-end"),
        Field("specs", Anything, source=raw("specs")),
    ],
    listing=Listing(filters=[Filter("id"), Filter("name"), Filter("consumer")], sorts={"id": "id", "name": "name"}),
)


@qos_specs.create(RULE + "create", status=200)
async def create(room: BlockStorage, call: Call) -> dict[str, Any]:
    wish = call.wish
    if not wish["name"]:
        raise InvalidInput("the name must not be empty")
    row = QosSpecsRow(
        id=new_uuid(),
        name=wish["name"],
        consumer=wish["consumer"],
        specs=specs.text_of(_checked(wish["extra"], call)),
        created_at=room.clock.now(),
    )
    try:
        await room.database.write(lambda tx: tx.insert(row))
    except Duplicate as error:
        raise NameTaken(f"QoS Specs {row.name} already exists.") from error
    return _page(call, row)


def _checked(given: dict[str, Any], call: Call) -> dict[str, str | None]:
    """What stands beside name and consumer: the specs. They arrive unchecked."""
    raw_text = b'{"specs":' + msgspec.json.encode(given) + b"}"
    found: dict[str, str | None] = Body("specs", (), kind=Specs).read(raw_text, call.version)["specs"]
    return found


def _page(call: Call, row: QosSpecsRow) -> dict[str, Any]:
    return {"qos_specs": qos_specs.show_row(call, row), "links": _links(row, call)}


@qos_specs.list(RULE + "get_all")
async def index(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, qos_specs, QosSpecsRow, brief=False, counted=False)


@qos_specs.show(RULE + "get")
async def show(room: BlockStorage, call: Call, row: QosSpecsRow) -> dict[str, Any]:
    return _page(call, row)


async def _alter(room: BlockStorage, row: QosSpecsRow, change: specs.Alter, **also: str) -> None:
    await specs.alter(room, QosSpecsRow, row.id, "specs", change, most=MOST, **also)


@qos_specs.item("PUT", RULE + "update", body=Body("qos_specs", (), kind=Specs))
async def update(room: BlockStorage, call: Call, row: QosSpecsRow) -> dict[str, Any]:
    given = specs.written(call.wish["qos_specs"])
    consumer = given.get("consumer", "")
    if consumer and consumer not in CONSUMERS:
        raise InvalidInput(f"Valid consumer of QoS specs are: {', '.join(CONSUMERS)}")
    pairs = {key: value for key, value in given.items() if key != "consumer"}
    await _alter(room, row, lambda found: found.update(pairs), **({"consumer": consumer} if consumer else {}))
    return {"qos_specs": given}


_Keys = Body("keys", (), kind=ListOf(Text(255, 1), most=MOST))


@qos_specs.item("PUT", RULE + "delete", suffix="/delete_keys", status=202, body=_Keys)
async def delete_keys(room: BlockStorage, call: Call, row: QosSpecsRow) -> None:
    keys, known = call.wish["keys"], msgspec.json.decode(row.specs, type=dict[str, str])
    for key in keys:
        if key not in known:
            raise BadRequest(f"QoS specs {row.id} has no spec with key {key}.")

    def alter(found: dict[str, str]) -> None:
        for key in keys:
            found.pop(key, None)

    await _alter(room, row, alter)


@qos_specs.delete(RULE + "delete", status=202)
async def delete(room: BlockStorage, call: Call, row: QosSpecsRow) -> None:
    force = flag(call, "force")

    async def write(tx: Transaction) -> None:
        if not force and await tx.find(TypeRow, qos_specs_id=row.id, limit=1):
            raise BadRequest(f"QoS Specs {row.id} is still associated with entities.")
        await tx.update(TypeRow, {"qos_specs_id": row.id}, qos_specs_id="")
        await tx.delete(QosSpecsRow, id=row.id)

    await room.database.write(write)


# ---- types that have them ---------------------------------------------------------------------------------------


@qos_specs.item("GET", RULE + "get_all", suffix="/associations")
async def associations(room: BlockStorage, call: Call, row: QosSpecsRow) -> dict[str, Any]:
    async with room.database.read() as tx:
        found = await tx.find(TypeRow, qos_specs_id=row.id, order_by="name")
    shown = [{"association_type": "volume_type", "name": kind.name, "id": kind.id} for kind in found]
    return {"qos_associations": shown}


async def _set(room: BlockStorage, call: Call, row: QosSpecsRow, *, to: str) -> None:
    type_id = call.request.one("vol_type_id")
    if not type_id:
        raise BadRequest("Volume Type id must not be None.")

    async def write(tx: Transaction) -> None:
        kind = await tx.get(TypeRow, id=type_id[:64])
        if kind is None:
            raise TypeNotFound(f"Volume type {type_id[:64]} could not be found.")
        if to and kind.qos_specs_id not in ("", to):
            raise InvalidInput(f"Type {kind.id} is already associated with another qos specs: {kind.qos_specs_id}")
        await tx.update(TypeRow, {"id": kind.id}, qos_specs_id=to, updated_at=room.clock.now())

    await room.database.write(write)


@qos_specs.item("GET", RULE + "update", suffix="/associate", status=202)
async def associate(room: BlockStorage, call: Call, row: QosSpecsRow) -> None:
    await _set(room, call, row, to=row.id)


@qos_specs.item("GET", RULE + "update", suffix="/disassociate", status=202)
async def disassociate(room: BlockStorage, call: Call, row: QosSpecsRow) -> None:
    await _set(room, call, row, to="")


@qos_specs.item("GET", RULE + "update", suffix="/disassociate_all", status=202)
async def disassociate_all(room: BlockStorage, call: Call, row: QosSpecsRow) -> None:
    await room.database.write(lambda tx: tx.update(TypeRow, {"qos_specs_id": row.id}, qos_specs_id=""))
