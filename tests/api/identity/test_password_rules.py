"""What an operator may demand of passwords."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.api.identity.cloud import PASSWORD, Cloud, by_password, open_cloud

pytestmark = pytest.mark.db
DAY = 24 * 3600


async def change(cloud: Cloud, old: str, new: str, status: int = 204) -> None:
    me = (await (await cloud.admin()).get("/users?name=demo"))["users"][0]
    body = {"user": {"password": new, "original_password": old}}
    await cloud.nobody().post(f"/users/{me['id']}/password", body, status)


async def test_a_pattern_that_passwords_match(database: Database, bus: MemoryBus, tmp_path: Path) -> None:
    cloud = await open_cloud(database, bus, tmp_path, password_regex=r"^(?=.*\d).{7,}$")
    await change(cloud, PASSWORD, "without digits", 400)
    await change(cloud, PASSWORD, "with 1 digit")
    await (await cloud.admin()).post("/users", {"user": {"name": "x", "password": "short"}}, 400)


async def test_no_password_comes_back_too_soon(database: Database, bus: MemoryBus, tmp_path: Path) -> None:
    cloud = await open_cloud(database, bus, tmp_path, password_history=3)
    await change(cloud, PASSWORD, PASSWORD, 400)
    await change(cloud, PASSWORD, "second")
    await change(cloud, "second", PASSWORD, 400)
    await change(cloud, "second", "third")
    await change(cloud, "third", PASSWORD, 400)
    await change(cloud, "third", "fourth")
    await change(cloud, "fourth", PASSWORD)


async def test_a_password_ends_and_is_renewed_with_the_old_one(
    database: Database, bus: MemoryBus, tmp_path: Path
) -> None:
    cloud = await open_cloud(database, bus, tmp_path, password_days=30)
    await (await cloud.admin()).post("/users", {"user": {"name": "eve", "password": "first"}})
    eve = await cloud.login("eve", "first")
    assert eve.body["user"]["password_expires_at"] is not None
    cloud.room.clock.jump(31 * DAY)
    refusal = await cloud.nobody().post("/auth/tokens", by_password("eve", "first"), 401)
    assert "expired" in refusal["error"]["message"]
    body = {"user": {"password": "next", "original_password": "first"}}
    await cloud.nobody().post(f"/users/{eve.body['user']['id']}/password", body, 204)
    await cloud.login("eve", "next")


async def test_a_password_is_not_changed_twice_a_day(database: Database, bus: MemoryBus, tmp_path: Path) -> None:
    cloud = await open_cloud(database, bus, tmp_path, password_min_age_days=1)
    await change(cloud, PASSWORD, "second", 400)
    cloud.room.clock.jump(DAY + 1)
    await change(cloud, PASSWORD, "second")


async def test_who_is_away_too_long_is_locked_out(database: Database, bus: MemoryBus, tmp_path: Path) -> None:
    cloud = await open_cloud(database, bus, tmp_path, inactive_days=90)
    await cloud.login("demo")
    cloud.room.clock.jump(91 * DAY)
    await cloud.nobody().post("/auth/tokens", by_password("demo"), 401)
