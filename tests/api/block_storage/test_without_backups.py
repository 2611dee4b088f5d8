"""Clients name a backup with every volume, mostly none."""

from __future__ import annotations

import pytest

from tests.api.block_storage.shop import Shop

pytestmark = pytest.mark.db


async def test_a_client_that_names_no_backup_gets_his_volume(shop: Shop) -> None:
    wish = {"size": 1, "backup_id": None}
    await shop.client.at("3.59").post("/volumes", {"volume": wish}, 202)
    unknown = wish | {"backup_id": "0a0a0a0a-0000-4000-8000-000000000001"}
    await shop.client.at("3.59").post("/volumes", {"volume": unknown}, 404)
