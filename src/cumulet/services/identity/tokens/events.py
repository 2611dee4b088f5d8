"""`/OS-REVOKE/events`: which tokens are void, for services that check tokens themselves."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Query
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.lib.clock import iso_micros_z, parse_iso
from cumulet.services.identity.errors import InvalidValue
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.revocations import RevocationRow, id_in

MOST = 10_000
_SINCE = Query(
    sa.select(RevocationRow.table)
    .where(RevocationRow.c.revoked_at >= sa.bindparam("since", type_=sa.BigInteger))
    .order_by(RevocationRow.c.revoked_at)
    .limit(sa.literal_column(str(MOST)))
)


async def index(room: Identity, call: Call) -> dict[str, Any]:
    call.allow("identity:list_revoke_events", {})
    since = call.request.one("since")
    try:
        instant = parse_iso(since) if since else 0
    except ValueError as error:
        raise InvalidValue(f"since: {since!r:.64} is no instant.") from error
    async with room.database.read() as tx:
        rows = await tx.rows(RevocationRow, _SINCE, {"since": instant})
    events = [
        {
            row.kind: id_in(row),
            "issued_before": iso_micros_z(row.issued_before),
            "links": {},
        }
        for row in rows
    ]
    url = f"{call.base}/OS-REVOKE/events"
    return call.dialect.page("events", events, url=url, query=call.request.query, marker="")


ROUTES = (Endpoint("GET", "/OS-REVOKE/events", index, name="list_revoke_events"),)
