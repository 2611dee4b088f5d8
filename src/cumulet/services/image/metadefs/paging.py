"""Pages over what is in a namespace, by name."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa

from cumulet.core.db import Query, Row
from cumulet.core.errors import BadRequest
from cumulet.core.web.call import Call
from cumulet.core.web.listing import parse_limit
from cumulet.services.image.room import Image

R = TypeVar("R", bound=Row)

MOST = 1000


@cache
def _query(row: type[Row], descending: bool, begun: bool) -> Query:
    columns: Any = row.c
    statement = sa.select(row.table).where(columns.namespace_id == sa.bindparam("namespace_id", type_=sa.String))
    if begun:
        marker = sa.bindparam("marker", type_=sa.String)
        statement = statement.where(columns.name < marker if descending else columns.name > marker)
    order = columns.name.desc() if descending else columns.name.asc()
    return Query(statement.order_by(order).limit(sa.bindparam("most", type_=sa.Integer)))


async def page(room: Image, call: Call, row: type[R], many: str) -> tuple[list[R], dict[str, Any]]:
    """The rows of a page, and what stands beside them: the first page, the next one, the schema."""
    request = call.request
    limit = parse_limit(request.one("limit"), MOST)
    marker = request.one("marker") or ""
    direction = (request.one("sort_dir") or "asc").lower()
    if direction not in ("asc", "desc"):
        raise BadRequest(f"Invalid sort direction: {direction[:20]!r}. Use asc or desc.")
    if (request.one("sort_key") or "name") not in ("name", "created_at"):
        raise BadRequest("Invalid sort key. Use name.")
    values = {"namespace_id": call.parent.id, "marker": marker, "most": limit + 1}
    async with room.database.read() as tx:
        if marker and await tx.get(row, namespace_id=call.parent.id, name=marker) is None:
            raise BadRequest(f"Marker {marker[:80]} could not be found. Start again from the first page.")
        found = await tx.rows(row, _query(row, direction == "desc", bool(marker)), values)
    more = len(found) > limit
    found = found[:limit]
    url = f"/v2/metadefs/namespaces/{call.parent.namespace}/{many}"
    last: Any = found[-1] if more else None
    links = call.dialect.page(many, [], url=url, query=request.query, marker=last.name if last else "")
    del links[many]
    return found, links | {"schema": f"/v2/schemas/metadefs/{many}"}
