"""Turning the key that seals secrets in the database: afterwards every secret is sealed with the new one.

It may be stopped at any point and run again: it begins by sealing with the present key what an earlier run left behind.
"""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Query, Row, Transaction
from cumulet.services.identity.credentials.row import CredentialRow
from cumulet.services.identity.domain_config.options import SECRET
from cumulet.services.identity.domain_config.row import DomainConfigRow
from cumulet.services.identity.oauth.rows import AccessTokenRow, ConsumerRow, RequestTokenRow
from cumulet.services.identity.room import Identity

SEALED: tuple[tuple[type[Row], str], ...] = (
    (CredentialRow, "blob"),
    (ConsumerRow, "secret"),
    (RequestTokenRow, "secret"),
    (AccessTokenRow, "secret"),
)
PAGE = 500


async def turn_credential_key(room: Identity) -> int:
    """Make a new key and seal everything with it; how many secrets there were."""
    await reseal(room)
    room.credential_keys.rotate()
    return await reseal(room)


async def reseal(room: Identity) -> int:
    """Seal every secret with the present key; how many there were."""
    count = 0
    for row, column in SEALED:
        count += await _reseal(room, row, column)
    return count + await _reseal_options(room)


async def _reseal(room: Identity, row: type[Row], column: str) -> int:
    fernet = room.credential_keys.fernet
    after = sa.bindparam("after", type_=sa.String)
    query = Query(
        sa.select(row.c["id"], row.c[column])
        .where(row.c["id"] > after)
        .order_by(row.c["id"])
        .limit(sa.literal_column(str(PAGE)))
    )
    last, count = "", 0
    while True:

        async def write(tx: Transaction, last: str = last) -> list[str]:
            found = await tx.tuples(query, {"after": last})
            for id_, sealed in found:
                await tx.update(row, {"id": id_}, **{column: fernet.rotate(sealed.encode()).decode()})
            return [id_ for id_, _ in found]

        ids = await room.database.write(write)
        if not ids:
            return count
        last, count = ids[-1], count + len(ids)


async def _reseal_options(room: Identity) -> int:
    fernet = room.credential_keys.fernet

    async def write(tx: Transaction) -> int:
        count = 0
        for group, option in SECRET:
            for row in await tx.find(DomainConfigRow, group=group, option=option):
                where = {"domain_id": row.domain_id, "group": group, "option": option}
                await tx.update(DomainConfigRow, where, value=fernet.rotate(row.value.encode()).decode())
                count += 1
        return count

    return await room.database.write(write)
