"""The attributes that nearly every noun has: identity, owner, name, times, revision, tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Json, Name, Ref, Row, Transaction, stored
from cumulet.core.room import Room
from cumulet.core.web.body import NEVER, OPTIONAL, Field
from cumulet.core.web.listing import Clause, Filter
from cumulet.core.web.wire import Int, ListOf, Text
from cumulet.lib.clock import SECOND, Clock, iso_seconds, parse_iso
from cumulet.lib.ids import new_uuid
from cumulet.services.network.facets import Facet, Passed

MOST_TAGS = 50


class Standard(Row):
    """The first columns of a noun's row."""

    id: Id
    project_id: Ref
    name: Name
    description: Name
    tags: Json
    """The tags as JSON text for the view; `TagRow` holds them for filters."""
    created_at: Instant
    updated_at: Instant
    revision: int


@stored("network_tags", sa.Index("network_tags_tag", "tag"))
class TagRow(Row):
    """One tag of one thing."""

    resource_id: Annotated[str, sa.String(36), PRIMARY]
    tag: Annotated[str, sa.String(255), PRIMARY]


def standard(wish: Mapping[str, Any], clock: Clock, id: str = "") -> dict[str, Any]:
    """The standard columns of a new row."""
    now = clock.now()
    return {
        "id": id or new_uuid(),
        "project_id": wish["project_id"],
        "name": wish.get("name", ""),
        "description": wish.get("description", ""),
        "tags": tags_text(wish.get("tags", ())),
        "created_at": now,
        "updated_at": now,
        "revision": 1,
    }


def tags_text(tags: Sequence[str]) -> str:
    return json_text(sorted(set(tags)))


def json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def set_tags(tx: Transaction, resource_id: str, tags: Sequence[str]) -> None:
    """Replace the stored tags of a thing; its row's text is written by its noun."""
    await tx.delete(TagRow, resource_id=resource_id)
    await tx.insert_all(TagRow(resource_id, tag) for tag in sorted(set(tags)))


async def bump(room: Room, tx: Transaction, row: type[Row], id: str) -> None:
    """Something that belongs to it changed: that is a revision of it, too."""
    found: Any = await tx.get(row, id=id) if "revision" in row.__struct_fields__ else None
    if found is not None:
        await tx.update(row, {"id": id}, revision=found.revision + 1, updated_at=room.clock.now())


@lru_cache(maxsize=4096)
def _iso(second: int) -> str:
    return iso_seconds(second * SECOND)


def _tag_filter(name: str, *, every: bool, wanted: bool) -> Filter:
    def clause(values: list[str]) -> tuple[str, Clause, Mapping[str, Any]]:
        tags = sorted({tag for value in values for tag in value.split(",")})[:MOST_TAGS]
        found = sa.select(TagRow.c.resource_id).where(TagRow.c.tag.in_(sa.bindparam(f"{name}_tags", expanding=True)))
        if every:
            found = found.group_by(TagRow.c.resource_id).having(
                sa.func.count() == sa.bindparam(f"{name}_count", type_=sa.Integer)
            )
        column: sa.ColumnClause[str] = sa.column("id")
        where = column.in_(found) if wanted else column.not_in(found)
        return name, where, {f"{name}_tags": tags, f"{name}_count": len(tags)}

    return Filter(name, clause=clause)


def _changed_since(values: list[str]) -> tuple[str, Clause, Mapping[str, Any]]:
    column: sa.ColumnClause[int] = sa.column("updated_at", sa.BigInteger)
    try:
        since = max(parse_iso(value.replace("Z", "+00:00")) for value in values)
    except OverflowError as error:
        raise ValueError("the moment is out of range") from error
    return "changed_since", column >= sa.bindparam("changed_since", type_=sa.BigInteger), {"changed_since": since}


Tag = Text(255, 1)
NameText = Text(255)
LongName = Text(1024)

OWNED = Facet(
    fields=(
        Field("id", Text()),
        Field("tenant_id", Text(255), create=OPTIONAL, source="project_id"),
        Field("project_id", Text(255), create=OPTIONAL),
    )
)
OF_A_PROJECT = Facet(fields=(Field("id", Text()), Field("project_id", Text(255), create=OPTIONAL)))
"""The same of nouns that came when `tenant_id` was no longer said."""
OF_A_PARENT = Facet(fields=(Field("id", Text()), Field("project_id", Text(255), create=OPTIONAL, source="")))
"""The same of nouns that stand below another, whose owner is theirs."""
NAMED = Facet(fields=(Field("name", NameText, create="", update=OPTIONAL),))
DESCRIBED = Facet(
    "standard-attr-description",
    "Descriptions for resources",
    (Field("description", NameText, create="", update=OPTIONAL),),
)
STAMPED = Facet(
    "standard-attr-timestamp",
    "Times of creation and change",
    (
        Field("created_at", Text(), source=lambda row, call: _iso(row.created_at // SECOND)),
        Field("updated_at", Text(), source=lambda row, call: _iso(row.updated_at // SECOND)),
    ),
    (Filter("changed_since", clause=_changed_since),),
)
REVISED = Facet(
    "standard-attr-revisions",
    "Revision numbers",
    (Field("revision_number", Int(), source="revision"),),
)
TAGGED = Facet(
    "standard-attr-tag",
    "Tags on resources",
    (Field("tags", ListOf(Tag, most=MOST_TAGS), create=OPTIONAL, update=NEVER, source=Passed("tags")),),
    (
        _tag_filter("tags", every=True, wanted=True),
        _tag_filter("tags-any", every=False, wanted=True),
        _tag_filter("not-tags", every=True, wanted=False),
        _tag_filter("not-tags-any", every=False, wanted=False),
    ),
)
TAGGED_AT_ONCE = Facet("tag-creation", "Tags given at creation")
REVISION_MATCH = Facet("revision-if-match", "If-Match on revision numbers")

STANDARD = (OWNED, NAMED, DESCRIBED, STAMPED, REVISED, TAGGED, TAGGED_AT_ONCE, REVISION_MATCH)
UNTAGGED = (OWNED, NAMED, DESCRIBED, STAMPED, REVISED, REVISION_MATCH)
NEWER = (OF_A_PROJECT, NAMED, DESCRIBED, STAMPED, REVISED, REVISION_MATCH)
