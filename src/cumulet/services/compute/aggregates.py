"""Aggregates: sets of hosts with something in common; one with `availability_zone` in its metadata makes a zone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Duplicate, Instant, Json, Name, Query, Row, Transaction, stored
from cumulet.core.errors import BadRequest, NotFound
from cumulet.core.room import Room
from cumulet.core.web.body import HIDDEN, OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Owner, Resource
from cumulet.core.web.view import raw, written
from cumulet.core.web.wire import ListOf, MapOf, Obj, StrictBool, StrictInt, Text, Uuid
from cumulet.core.web.wire import Name as NameText
from cumulet.lib.clock import iso_micros
from cumulet.lib.ids import new_uuid
from cumulet.lib.numbers import whole
from cumulet.services.compute.errors import AggregateConflict, AggregateNotFound, HostNotFound
from cumulet.services.compute.placing.hosts import Aggregate
from cumulet.services.compute.room import Compute

RULE = "os_compute_api:os-aggregates:"
T = TypeVar("T")


@stored("compute_aggregates", sa.Index("compute_aggregates_name", "name", unique=True))
class AggregateRow(Row):
    """A set of hosts."""

    id: Annotated[int, sa.BigInteger, PRIMARY]
    uuid: Annotated[str, sa.String(36)]
    name: Name
    metadata: Json
    hosts: Json
    """Names of its hosts, for its view."""
    created_at: Instant
    updated_at: Instant


@stored("compute_aggregate_hosts", sa.Index("compute_aggregate_hosts_host", "host"))
class AggregateHostRow(Row):
    """A host in an aggregate."""

    aggregate_id: Annotated[int, sa.BigInteger, PRIMARY]
    host: Annotated[str, sa.String(255), PRIMARY]


def aggregate_of(row: AggregateRow) -> Aggregate:
    return Aggregate(row.id, row.name, msgspec.json.decode(row.metadata))


async def _change(room: Compute, write: Callable[[Transaction], Awaitable[T]]) -> T:
    """Placing asks which aggregates a host is in."""
    result = await room.database.write(write)
    room.recent.forget()
    return result


async def _load(room: Room, call: Call, key: str) -> AggregateRow | None:
    try:
        number = whole(key.removeprefix("-"))
    except ValueError as error:
        raise BadRequest(f"Invalid input for an aggregate's id: {key[:60]!r} is not an integer") from error
    async with room.database.read() as tx:
        return await tx.get(AggregateRow, id=number) if not key.startswith("-") else None


def _zone(row: AggregateRow, call: Call) -> str | None:
    found: str | None = msgspec.json.decode(row.metadata).get("availability_zone")
    return found


aggregates = Resource(
    path="/os-aggregates",
    one="aggregate",
    many="aggregates",
    row=AggregateRow,
    owner=Owner.NOBODY,
    load=_load,
    missing=AggregateNotFound,
    target=lambda row: {},
    fields=[
        Field("id", StrictInt()),
        Field("uuid", Text(), since="2.41"),
        Field("name", NameText, create=REQUIRED, update=OPTIONAL),
        Field("availability_zone", Text(255, 1, r"^[^:]*$").or_null(), create=OPTIONAL, update=OPTIONAL, source=_zone),
        Field("metadata", StrictInt(), source=raw("metadata")),
        Field("hosts", StrictInt(), source=raw("hosts")),
        Field("created_at", Text(), source=written("created_at", iso_micros)),
        Field("updated_at", Text(), source=written("updated_at", iso_micros)),
        Field("deleted", StrictBool, source=lambda row, call: False),
        Field("deleted_at", Text(), source=lambda row, call: None),
    ],
)
_last = Query(sa.select(sa.func.max(AggregateRow.c.id)))


@aggregates.create(RULE + "create", status=200)
async def create(room: Compute, call: Call) -> dict[str, Any]:
    wish = call.wish
    zone = wish.get("availability_zone")
    metadata = {"availability_zone": zone} if zone else {}

    async def write(tx: Transaction) -> AggregateRow:
        row = AggregateRow(
            id=1 + int(await tx.scalar(_last) or 0),
            uuid=new_uuid(),
            name=wish["name"],
            metadata=msgspec.json.encode(metadata).decode(),
            hosts="[]",
            created_at=room.clock.now(),
            updated_at=0,
        )
        await tx.insert(row)
        return row

    row = await _named(room, write, wish["name"])
    shown = aggregates.show_row(call, row)
    return {"aggregate": {name: value for name, value in shown.items() if name not in ("hosts", "metadata")}}


async def _named(room: Compute, write: Any, name: str) -> AggregateRow:
    try:
        row: AggregateRow = await _change(room, write)
    except Duplicate as taken:
        raise AggregateConflict(f"Aggregate {name} already exists.") from taken
    return row


@aggregates.list(RULE + "index")
async def index(room: Compute, call: Call) -> dict[str, Any]:
    async with room.database.read() as tx:
        rows = await tx.find(AggregateRow, order_by="id")
    return {"aggregates": [aggregates.show_row(call, row) for row in rows]}


@aggregates.show(RULE + "show")
async def show(room: Compute, call: Call, row: AggregateRow) -> AggregateRow:
    return row


@aggregates.update(RULE + "update")
async def update(room: Compute, call: Call, row: AggregateRow) -> AggregateRow:
    wish = call.wish
    if not wish:
        raise BadRequest("Invalid input: give a name or an availability_zone")

    async def write(tx: Transaction) -> AggregateRow:
        found = await _fresh(tx, row.id)
        found.name = wish.get("name", found.name)
        if "availability_zone" in wish:
            await _set_metadata(tx, found, {"availability_zone": wish["availability_zone"]})
        await _save(tx, room, found)
        return found

    return await _named(room, write, wish.get("name", row.name))


@aggregates.delete(RULE + "delete", status=200)
async def delete(room: Compute, call: Call, row: AggregateRow) -> None:
    async def write(tx: Transaction) -> None:
        if await tx.find(AggregateHostRow, aggregate_id=row.id, limit=1):
            raise BadRequest("Cannot remove host aggregate: it is not empty. Remove its hosts first.")
        await tx.delete(AggregateRow, id=row.id)

    await _change(room, write)


Host = Field("host", Text(255, 1), create=REQUIRED, source=HIDDEN)


@aggregates.action("add_host", RULE + "add_host", Host, status=200)
async def add_host(room: Compute, call: Call, row: AggregateRow) -> AggregateRow:
    host = call.wish["host"]
    if await room.fleet.node(host) is None:
        raise HostNotFound(f"Compute host {host} could not be found.")

    async def write(tx: Transaction) -> AggregateRow:
        found = await _fresh(tx, row.id)
        await _refuse_second_zone(tx, found, host)
        try:
            await tx.insert(AggregateHostRow(row.id, host))
        except Duplicate as taken:
            raise AggregateConflict(f"Aggregate {row.id} already has host {host}.") from taken
        await _save(tx, room, found)
        return found

    return await _change(room, write)


@aggregates.action("remove_host", RULE + "remove_host", Host, status=200)
async def remove_host(room: Compute, call: Call, row: AggregateRow) -> AggregateRow:
    host = call.wish["host"]

    async def write(tx: Transaction) -> AggregateRow:
        found = await _fresh(tx, row.id)
        if not await tx.delete(AggregateHostRow, aggregate_id=row.id, host=host):
            raise HostNotFound(f"Aggregate {row.id} has no host {host}.")
        await _save(tx, room, found)
        return found

    return await _change(room, write)


Metadata = MapOf(Text(255).or_null(), key=r"^[a-zA-Z0-9\-_:. ]{1,255}$", most=128)


@aggregates.action(
    "set_metadata", RULE + "set_metadata", Field("metadata", Metadata, create=REQUIRED, source=HIDDEN), status=200
)
async def set_metadata(room: Compute, call: Call, row: AggregateRow) -> AggregateRow:
    async def write(tx: Transaction) -> AggregateRow:
        found = await _fresh(tx, row.id)
        await _set_metadata(tx, found, call.wish["metadata"])
        await _save(tx, room, found)
        return found

    return await _change(room, write)


CacheImages = Body("cache", (), kind=ListOf(Obj(Field("id", Uuid, create=REQUIRED)), most=100, least=1, unique=True))


@aggregates.item("POST", "compute:aggregates:images", status=202, suffix="/images", since="2.81", body=CacheImages)
async def cache_images(room: Compute, call: Call, row: AggregateRow) -> None:
    """Nodes keep what they have fetched, so that asking early only checks that the images exist."""
    for item in call.wish["cache"]:
        await room.images.get(call.caller, item["id"])


async def _fresh(tx: Transaction, aggregate_id: int) -> AggregateRow:
    found = await tx.get(AggregateRow, id=aggregate_id)
    if found is None:
        raise NotFound(f"Aggregate {aggregate_id} could not be found.")
    return found


async def _set_metadata(tx: Transaction, row: AggregateRow, changes: dict[str, Any]) -> None:
    metadata = msgspec.json.decode(row.metadata)
    for key, value in changes.items():
        if value is None:
            metadata.pop(key, None)
        else:
            metadata[key] = value
    row.metadata = msgspec.json.encode(metadata).decode()
    if changes.get("availability_zone"):
        for member in await tx.find(AggregateHostRow, aggregate_id=row.id):
            await _refuse_second_zone(tx, row, member.host)


async def _refuse_second_zone(tx: Transaction, row: AggregateRow, host: str) -> None:
    """A host is in one zone at most."""
    zone = aggregate_of(row).metadata.get("availability_zone")
    if not zone:
        return
    for member in await tx.find(AggregateHostRow, host=host):
        if member.aggregate_id == row.id:
            continue
        other = await tx.get(AggregateRow, id=member.aggregate_id)
        theirs = aggregate_of(other).metadata.get("availability_zone") if other else None
        if theirs and theirs != zone:
            raise AggregateConflict(f"Host {host} is in availability zone {theirs} already, not in {zone}.")


async def _save(tx: Transaction, room: Compute, row: AggregateRow) -> None:
    row.hosts = msgspec.json.encode(
        [member.host for member in await tx.find(AggregateHostRow, aggregate_id=row.id, order_by="host")]
    ).decode()
    row.updated_at = room.clock.now()
    await tx.update(
        AggregateRow,
        {"id": row.id},
        name=row.name,
        metadata=row.metadata,
        hosts=row.hosts,
        updated_at=row.updated_at,
    )
