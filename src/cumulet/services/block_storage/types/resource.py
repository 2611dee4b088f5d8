"""What does a client see of volume types, and what may an administrator do with them?"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, UNREADABLE, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter, Listing, ask
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.view import raw
from cumulet.core.web.wire import Anything, Bool, Text, parse_bool
from cumulet.lib.ids import new_uuid
from cumulet.services.block_storage import specs
from cumulet.services.block_storage.asking import page, shown_without, sorted_as_asked
from cumulet.services.block_storage.errors import InvalidInput, InvalidType, NameTaken, StillUsed, TypeNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types.choice import default_of, ensure_default
from cumulet.services.block_storage.types.row import DefaultTypeRow, TypeAccessRow, TypeRow
from cumulet.services.block_storage.volumes.row import VolumeRow

RULE = "volume_extension:"
SPECS_RULE = RULE + "access_types_extra_specs"
QOS_RULE = RULE + "access_types_qos_specs_id"
ACCESS_RULE = RULE + "volume_type_access"
TypeName = Text(255, 1).also(lambda name: _stripped(name))


def _stripped(name: str) -> str:
    if not name.strip():
        raise ValueError("Volume type name can not be empty.")
    return name.strip()


_mine = sa.or_(
    TypeRow.c.public == sa.true(),
    TypeRow.c.id.in_(
        sa.select(TypeAccessRow.c.type_id).where(
            TypeAccessRow.c.project_id == sa.bindparam("caller_project", type_=sa.String)
        )
    ),
)


def _sees(call: Call) -> Clause | None:
    return None if call.may("context_is_admin") else _mine


types = Resource(
    path="/types",
    one="volume_type",
    many="volume_types",
    key="type_id",
    row=TypeRow,
    owner="",
    sees=_sees,
    missing=TypeNotFound,
    fields=[
        Field("id", Text()),
        Field("name", TypeName, create=REQUIRED, update=OPTIONAL),
        Field("description", Text().or_null(), create=OPTIONAL, update=OPTIONAL),
        Field("is_public", Bool, update=OPTIONAL, source="public"),
        Field("os-volume-type-access:is_public", Bool, create=OPTIONAL, source="public", rule=ACCESS_RULE),
        Field("extra_specs", specs.Specs.or_null(), create=OPTIONAL, source=raw("extra_specs"), rule=SPECS_RULE),
        Field("qos_specs_id", Anything, source=lambda row, call: row.qos_specs_id or None, rule=QOS_RULE),
    ],
    listing=Listing(
        filters=[Filter("name"), Filter("id")],
        sorts={"id": "id", "name": "name", "created_at": "created_at"},
    ),
)


@types.create(RULE + "type_create", status=200)
async def create(room: BlockStorage, call: Call) -> dict[str, Any]:
    wish = call.wish
    row = TypeRow(
        id=new_uuid(),
        name=wish["name"],
        description=wish.get("description"),
        public=wish.get("os-volume-type-access:is_public", True),
        extra_specs=specs.text_of(wish.get("extra_specs") or {}),
        qos_specs_id="",
        encryption="",
        created_at=room.clock.now(),
        updated_at=0,
    )
    await ensure_default(room)
    try:
        await room.database.write(lambda tx: tx.insert(row))
    except Duplicate as error:
        raise NameTaken(f"Volume Type {row.name} already exists.") from error
    return shown_without(types, call, row, "qos_specs_id")


@types.list(RULE + "type_get_all")
async def index(room: BlockStorage, call: Call) -> Listed:
    await ensure_default(room)
    question = sorted_as_asked(types.listing, ask(types.listing, TypeRow, call), call)
    asked = (call.request.one("is_public") or "").lower()
    if not call.may("context_is_admin"):
        asked = "none"  # the others see what they may use
    if asked != "none":
        try:
            public = parse_bool(asked or "true")
        except ValueError as error:
            raise InvalidInput(f"is_public: {error}") from error
        question.where("public" if public else "private", TypeRow.c.public == sa.literal(public, sa.Boolean))
    async with room.database.read() as tx:
        if (asked_specs := call.request.one("extra_specs")) is not None:
            question.limit = 0
            rows, _ = await page(types, tx, call, question)
            return Listed([row for row in rows if _has(row, asked_specs)])
        rows, more = await page(types, tx, call, question)
    return Listed(rows, more)


def _has(row: TypeRow, asked: str) -> bool:
    """Does a type have all of the asked pairs, in JSON or the form that Python prints?"""
    try:
        pairs = msgspec.json.decode(asked.replace("'", '"'), type=dict[str, str])
    except UNREADABLE as error:
        raise InvalidInput("extra_specs: give pairs as {'key': 'value'}") from error
    found: dict[str, str] = msgspec.json.decode(row.extra_specs)
    return all(found.get(key) == value for key, value in pairs.items())


@types.collection("GET", RULE + "type_get", suffix="/default")
async def show_default(room: BlockStorage, call: Call) -> TypeRow:
    await ensure_default(room)
    async with room.database.read() as tx:
        row = await default_of(room, tx, call.caller.project_id)
    if row is None:
        raise TypeNotFound("Default volume type can not be found.")
    return row


@types.show("")
async def show(room: BlockStorage, call: Call, row: TypeRow) -> TypeRow:
    call.allow(RULE + "type_get")
    return row


@types.update(RULE + "type_update")
async def update(room: BlockStorage, call: Call, row: TypeRow) -> dict[str, Any]:
    wish = call.wish
    if not wish:
        raise InvalidInput("Specify volume type name, description, is_public or a combination thereof.")
    values: dict[str, Any] = {name: wish[name] for name in ("name", "description") if name in wish}
    if "is_public" in wish:
        values["public"] = wish["is_public"]
    if row.name == room.default_type and values.get("name", row.name) != row.name:
        raise InvalidType("the default type keeps its name")
    values["updated_at"] = room.clock.now()

    async def write(tx: Transaction) -> TypeRow:
        await tx.update(TypeRow, {"id": row.id}, **values)
        return await tx.get(TypeRow, id=row.id) or row

    try:
        changed = await room.database.write(write)
    except Duplicate as error:
        raise NameTaken(f"Volume Type {values['name']} already exists.") from error
    return shown_without(types, call, changed, "qos_specs_id", "os-volume-type-access:is_public")


@types.delete(RULE + "type_delete", status=202)
async def delete(room: BlockStorage, call: Call, row: TypeRow) -> None:
    if row.name == room.default_type:
        raise InvalidType(f"{row.name} is the default type and cannot be deleted")

    async def write(tx: Transaction) -> None:
        for role in ("type_id", "new_type"):
            if await tx.find(VolumeRow, **{role: row.id}, wanted=True, limit=1):
                raise InvalidType(f"{row.id} is used by volumes; delete or retype them first")
        if await tx.find(DefaultTypeRow, type_id=row.id, limit=1):
            raise InvalidType(f"{row.id} is the default of a project; give that project another one first")
        await tx.delete(TypeAccessRow, type_id=row.id)
        await tx.delete(TypeRow, id=row.id)

    await room.database.write(write)


# ---- who may use a private type ---------------------------------------------------------------------------------


@types.item("GET", ACCESS_RULE + ":get_all_for_type", suffix="/os-volume-type-access")
async def accesses(room: BlockStorage, call: Call, row: TypeRow) -> dict[str, Any]:
    if row.public:
        raise TypeNotFound("Access list not available for public volume types.")
    async with room.database.read() as tx:
        found = await tx.find(TypeAccessRow, type_id=row.id, order_by="project_id")
    shown = [{"volume_type_id": access.type_id, "project_id": access.project_id} for access in found]
    return {"volume_type_access": shown}


_PROJECT = Field("project", Text(255, 1), create=REQUIRED)


@types.action("addProjectAccess", ACCESS_RULE + ":addProjectAccess", _PROJECT)
async def add_access(room: BlockStorage, call: Call, row: TypeRow) -> None:
    project = call.wish["project"]
    if row.public:
        raise StillUsed("Type access modification is not applicable to public volume type.")
    if len(project) > 64:
        raise InvalidInput("a project's id has 64 characters at the most")
    try:
        await room.database.write(lambda tx: tx.insert(TypeAccessRow(row.id, project)))
    except Duplicate as error:
        raise NameTaken(f"Volume type access for {row.id} / {project} combination already exists.") from error


@types.action("removeProjectAccess", ACCESS_RULE + ":removeProjectAccess", _PROJECT)
async def remove_access(room: BlockStorage, call: Call, row: TypeRow) -> None:
    project = call.wish["project"]
    if row.public:
        raise StillUsed("Type access modification is not applicable to public volume type.")
    if not await room.database.write(lambda tx: tx.delete(TypeAccessRow, type_id=row.id, project_id=project[:64])):
        raise TypeNotFound(f"Volume type access not found for {row.id} / {project[:64]} combination.")


# ---- extra specs ------------------------------------------------------------------------------------------------

SPEC = RULE + "types_extra_specs:"


async def _alter(room: BlockStorage, row: TypeRow, change: specs.Alter) -> None:
    await specs.alter(room, TypeRow, row.id, "extra_specs", change, updated_at=room.clock.now())


def _spec(row: TypeRow, key: str) -> str:
    found: dict[str, str] = msgspec.json.decode(row.extra_specs)
    if key not in found:
        raise TypeNotFound(f"Volume Type {row.id} has no extra specs with key {key[:255]}.")
    return found[key]


@types.item("GET", "", suffix="/extra_specs")
async def specs_index(room: BlockStorage, call: Call, row: TypeRow) -> dict[str, Any]:
    call.allow(SPEC + "index")
    return {"extra_specs": msgspec.Raw(row.extra_specs.encode())}


@types.item("POST", SPEC + "create", suffix="/extra_specs", body=Body("extra_specs", (), kind=specs.Specs))
async def specs_create(room: BlockStorage, call: Call, row: TypeRow) -> dict[str, Any]:
    given = specs.written(call.wish["extra_specs"])
    await _alter(room, row, lambda found: found.update(given))
    return {"extra_specs": given}


@types.item("GET", "", suffix="/extra_specs/{spec}")
async def specs_show(room: BlockStorage, call: Call, row: TypeRow) -> dict[str, Any]:
    call.allow(SPEC + "show")
    key = call.path["spec"]
    return {key: _spec(row, key)}


@types.item("PUT", SPEC + "update", suffix="/extra_specs/{spec}", raw=True)
async def specs_update(room: BlockStorage, call: Call, row: TypeRow) -> dict[str, Any]:
    given = await specs.one_given(call, call.path["spec"])
    await _alter(room, row, lambda found: found.update(given))
    return dict(given)


@types.item("DELETE", SPEC + "delete", status=202, suffix="/extra_specs/{spec}")
async def specs_delete(room: BlockStorage, call: Call, row: TypeRow) -> None:
    key = call.path["spec"]
    _spec(row, key)
    await _alter(room, row, lambda found: found.pop(key, None))
