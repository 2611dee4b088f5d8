"""Tokens that are nothing but a number, of which a table says what they are."""

from __future__ import annotations

import pytest

from cumulet.services.identity.tokens.cache import digest
from cumulet.services.identity.tokens.uuids import SWEPT, TokenRow
from tests.api.identity.cloud import Cloud, by_password
from tests.api.identity.tokens.accepting import USEFUL, accepts

pytestmark = pytest.mark.db
UUID = pytest.mark.parametrize("token_provider", ["uuid"])


async def kept(cloud: Cloud) -> list[TokenRow]:
    async with cloud.room.database.read() as tx:
        return await tx.find(TokenRow)


@UUID
async def test_the_table_of_tokens_lets_nobody_in(cloud: Cloud) -> None:
    me = await cloud.login("demo")
    assert len(me.token) == 32
    (row,) = await kept(cloud)
    assert row.digest == digest(me.token).hex()
    assert me.token.encode() not in row.payload
    assert bytes.fromhex(me.token) not in row.payload
    assert not await accepts(cloud, row.digest)


@UUID
async def test_who_gets_no_token_leaves_no_row(cloud: Cloud) -> None:
    nowhere = {"domain": {"id": "default"}}
    await cloud.nobody().post("/auth/tokens", by_password("demo", scope=nowhere), 401)
    assert not await kept(cloud)


@UUID
async def test_rows_of_tokens_go_when_nobody_takes_them_any_more(cloud: Cloud) -> None:
    for _ in range(SWEPT + 2):
        await cloud.login("demo")
    cloud.room.clock.jump(USEFUL - 10)
    await cloud.login("demo")
    assert len(await kept(cloud)) == SWEPT + 3
    cloud.room.clock.jump(20)
    for left in (4, 3):
        await cloud.login("demo")
        assert len(await kept(cloud)) == left
