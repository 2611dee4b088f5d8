"""Flavors: the sizes that servers come in."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Duplicate, Instant, Json, Name, Number, Query, Row, Transaction, stored
from cumulet.core.errors import BadRequest
from cumulet.core.room import Room
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter, Listing, Question, ask, parse_sort
from cumulet.core.web.resource import Listed, Owner, Resource
from cumulet.core.web.versions import version
from cumulet.core.web.view import raw
from cumulet.core.web.wire import Bool, Float, Int, StrictBool, StrictInt, Text, Wire, parse_bool
from cumulet.core.web.wire import Name as NameText
from cumulet.lib.ids import new_uuid
from cumulet.lib.numbers import whole
from cumulet.services.compute.errors import FlavorExists, FlavorNotFound
from cumulet.services.compute.links import links
from cumulet.services.compute.patterns import ESCAPE, Pattern, read_pattern
from cumulet.services.compute.room import Compute

MANAGE = "os_compute_api:os-flavor-manage:"
EXTRA_SPECS = "os_compute_api:os-flavor-extra-specs:index"
_WITHOUT_FACTOR = version("2.102")


@stored("compute_flavors", sa.Index("compute_flavors_name", "name", unique=True))
class FlavorRow(Row):
    """A size. Servers keep a copy of theirs, so that changing or deleting one touches no server."""

    id: Annotated[str, sa.String(255), PRIMARY]
    name: Name
    ram: Number
    vcpus: Number
    disk: Number
    ephemeral: Number
    swap: Number
    rxtx_factor: float
    public: bool
    description: Name | None
    extra_specs: Json
    created_at: Instant
    updated_at: Instant


@stored("compute_flavor_access")
class FlavorAccessRow(Row):
    """A project that may use a private flavor."""

    flavor_id: Annotated[str, sa.String(255), PRIMARY]
    project_id: Annotated[str, sa.String(64), PRIMARY]


_visible: Clause = sa.or_(
    FlavorRow.c.public.is_(True),
    sa.exists().where(
        FlavorAccessRow.c.flavor_id == FlavorRow.c.id,
        FlavorAccessRow.c.project_id == sa.bindparam("caller_project", type_=sa.String),
    ),
)


def sees(call: Call) -> Clause | None:
    """Public flavors and those opened for the caller's project; all of them for an administrator.

    For who would change one the rules decide first, whether he sees it or not.
    """
    return None if call.request.method != "GET" or call.may("context_is_admin") else _visible


def _id_look(value: str | int) -> str:
    text = str(value)
    if not text.strip() or text != text.strip() or not all(c.isalnum() or c in " ._-" for c in text) or len(text) > 255:
        raise ValueError("an id holds letters, digits, dots, dashes, underscores and inner spaces")
    return text


FlavorId = Wire(str | int, _id_look)
Quantity = Int(0)
Description = Text(65535).or_null()

flavors = Resource(
    path="/flavors",
    one="flavor",
    many="flavors",
    row=FlavorRow,
    owner=Owner.NOBODY,
    sees=sees,
    missing=FlavorNotFound,
    target=lambda row: None,
    fields=[
        Field("id", FlavorId.or_null(), create=OPTIONAL, brief=True),
        Field("name", NameText, create=REQUIRED, brief=True),
        Field("ram", Int(1), create=REQUIRED),
        Field("disk", Quantity, create=REQUIRED),
        Field("vcpus", Int(1), create=REQUIRED),
        Field("swap", Quantity, create=0, source=lambda row, call: row.swap or "", until="2.74"),
        Field("swap", Quantity, create=0, since="2.75"),
        Field("OS-FLV-EXT-DATA:ephemeral", Quantity, create=0, source="ephemeral"),
        Field("OS-FLV-DISABLED:disabled", StrictBool, source=lambda row, call: False, until="2.101"),
        Field("os-flavor-access:is_public", Bool, create=True, source="public"),
        Field("rxtx_factor", Float(0.0), create=1.0, until="2.101"),
        Field("description", Description, create=None, update=REQUIRED, since="2.55", brief=True),
        Field("extra_specs", StrictInt(), source=raw("extra_specs"), since="2.61", rule=EXTRA_SPECS),
        Field("links", StrictInt(), source=lambda row, call: links(call, "flavors", row.id), brief=True),
    ],
    listing=Listing(
        filters=[
            Filter("minRam", parse=whole, clause=lambda values: _at_least("ram", values)),
            Filter("name", parse=read_pattern, clause=lambda values: _named_like(values), since="2.102"),
            Filter("minDisk", parse=whole, clause=lambda values: _at_least("disk", values)),
        ],
        sorts={
            "flavorid": "id", "id": "id", "name": "name", "memory_mb": "ram", "vcpus": "vcpus", "root_gb": "disk",
            "ephemeral_gb": "ephemeral", "swap": "swap", "created_at": "created_at", "updated_at": "updated_at",
            "rxtx_factor": "rxtx_factor", "is_public": "public",
        },
        default_sort=(("id", "asc"),),
    ),
)  # fmt: skip


def _at_least(column: str, values: list[Any]) -> tuple[str, Clause, dict[str, Any]]:
    clause = FlavorRow.c[column] >= sa.bindparam(f"least_{column}", type_=sa.BigInteger)
    return f"least {column}", clause, {f"least_{column}": values[-1]}


def _named_like(values: list[Pattern]) -> tuple[str, Clause, dict[str, Any]]:
    clause = FlavorRow.c.name.like(sa.bindparam("name_like", type_=sa.String), escape=ESCAPE)
    return "name like", clause, {"name_like": values[-1].like}


@flavors.list("")
async def index(room: Compute, call: Call) -> Listed:
    return await _listed(room, call, brief=True)


@flavors.collection("GET", "", suffix="/detail")
async def detail(room: Compute, call: Call) -> Listed:
    return await _listed(room, call, brief=False)


async def _listed(room: Compute, call: Call, *, brief: bool) -> Listed:
    question = ask(flavors.listing, FlavorRow, call)
    request = call.request
    keys, directions = request.all("sort_key"), request.all("sort_dir")
    if call.version >= _WITHOUT_FACTOR and "rxtx_factor" in keys:
        raise BadRequest("Invalid sort key 'rxtx_factor': flavors have none at this version")
    if keys or directions:
        question.sort = parse_sort(flavors.listing, keys or ["flavorid"], directions)
    _narrow_public(call, question)
    async with room.database.read() as tx:
        rows, more = await flavors.page(tx, call, question)
    return Listed(rows, more, brief)


def _narrow_public(call: Call, question: Question) -> None:
    """An administrator sees public ones unless he asks for private ones, or for `none`: both."""
    if not call.may("context_is_admin"):
        return
    asked = (call.request.one("is_public") or "true").strip().lower()
    if asked == "none":
        return
    try:
        public = parse_bool(asked)
    except ValueError as error:
        raise BadRequest(f"Invalid is_public filter [{asked[:40]}]: use true, false or none") from error
    question.where(("public", public), FlavorRow.c.public.is_(public))


@flavors.show("")
async def show(room: Compute, call: Call, row: FlavorRow) -> FlavorRow:
    return row


@flavors.create(MANAGE + "create", status=200)
async def create(room: Compute, call: Call) -> FlavorRow:
    wish = call.wish
    now = room.clock.now()
    row = FlavorRow(
        id=wish.get("id") or new_uuid(),
        name=wish["name"],
        ram=wish["ram"],
        vcpus=wish["vcpus"],
        disk=wish["disk"],
        ephemeral=wish["OS-FLV-EXT-DATA:ephemeral"],
        swap=wish["swap"],
        rxtx_factor=wish.get("rxtx_factor", 1.0),
        public=wish["os-flavor-access:is_public"],
        description=wish.get("description"),
        extra_specs="{}",
        created_at=now,
        updated_at=0,
    )
    try:
        await room.database.write(lambda tx: tx.insert(row))
    except Duplicate as taken:
        if taken.index == "compute_flavors_name":
            raise FlavorExists(f"Flavor with name {row.name} already exists.") from taken
        raise FlavorExists(f"Flavor with ID {row.id} already exists.") from taken
    return row


@flavors.update(MANAGE + "update", since="2.55")
async def update(room: Compute, call: Call, row: FlavorRow) -> FlavorRow:
    row.description = call.wish["description"]
    now = room.clock.now()
    await room.database.write(
        lambda tx: tx.update(FlavorRow, {"id": row.id}, description=row.description, updated_at=now)
    )
    return row


@flavors.delete(MANAGE + "delete", status=202)
async def delete(room: Compute, call: Call, row: FlavorRow) -> None:
    async def write(tx: Transaction) -> None:
        await tx.delete(FlavorAccessRow, flavor_id=row.id)
        await tx.delete(FlavorRow, id=row.id)

    await room.database.write(write)


# ---- for servers ------------------------------------------------------------------------------------------------


class Flavor(msgspec.Struct, frozen=True):
    """A server's copy of its flavor."""

    id: str
    name: str
    ram: int
    vcpus: int
    disk: int
    ephemeral: int
    swap: int
    extra_specs: dict[str, str]
    rxtx_factor: float = 1.0


def copy_of(row: FlavorRow) -> Flavor:
    specs: dict[str, str] = msgspec.json.decode(row.extra_specs)
    return Flavor(row.id, row.name, row.ram, row.vcpus, row.disk, row.ephemeral, row.swap, specs, row.rxtx_factor)


_by_id = Query(sa.select(FlavorRow.table).where(FlavorRow.c.id == sa.bindparam("id", type_=sa.String)))
_by_id_visible = Query(
    sa.select(FlavorRow.table).where(FlavorRow.c.id == sa.bindparam("id", type_=sa.String), _visible)
)


async def visible_flavor(room: Room, call: Call, flavor_id: str) -> FlavorRow | None:
    """The flavor of this id if the caller may use it."""
    query = _by_id if call.may("context_is_admin") else _by_id_visible
    async with room.database.read() as tx:
        rows = await tx.rows(FlavorRow, query, {"id": flavor_id, "caller_project": call.caller.project_id})
    return rows[0] if rows else None
