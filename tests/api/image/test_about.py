"""What the service tells of itself: versions, stores, methods, usage, schemas."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import httpx
import pytest

from cumulet.services.image import room as image_room
from cumulet.services.image.room import Image
from cumulet.services.image.schemas import SCHEMAS
from cumulet.services.image.service import service
from tests.api.image.making import active
from tests.support.client import Client

pytestmark = pytest.mark.db


@pytest.mark.parametrize(("path", "status"), [("/", 300), ("/v2", 300), ("/v2/", 300), ("/versions", 200)])
async def test_versions_need_no_token(image: Client, path: str, status: int) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=image.door), base_url="http://cloud.test") as client:
        response = await client.get(path)
    versions = response.json()["versions"]
    assert response.status_code == status
    assert (versions[0]["id"], versions[0]["status"]) == ("v2.18", "CURRENT")
    assert versions[0]["links"] == [{"rel": "self", "href": "http://cloud.test/image/v2/"}]
    assert {version["id"] for version in versions} == {f"v2.{n}" for n in range(19)}


async def test_everything_else_needs_one(image: Client) -> None:
    for path in ("/images", "/schemas/image", "/info/import"):
        await image.as_("somebody").get(path, 401)


async def test_stores_and_methods(image: Client) -> None:
    assert (await image.get("/info/stores"))["stores"] == [{"id": "fast", "default": "true"}, {"id": "slow"}]
    await image.get("/info/stores/detail", 403)
    detailed = (await image.as_("admin").get("/info/stores/detail"))["stores"]
    assert [store["type"] for store in detailed] == ["memory", "memory"]
    assert "web-download" in (await image.get("/info/import"))["import-methods"]["value"]


async def test_usage_follows_the_images(image: Client) -> None:
    await active(image, bytes((1 << 20) + 1))
    usage = (await image.get("/info/usage"))["usage"]
    assert usage["image_size_total"] == {"limit": -1, "usage": 2}
    assert usage["image_count_total"]["usage"] == 1
    assert usage["image_count_uploading"]["usage"] == 0


@pytest.mark.parametrize("path", sorted(SCHEMAS))
async def test_schemas(image: Client, path: str) -> None:
    schema = await image.get(f"/schemas/{path}")
    assert schema["name"]
    assert schema["properties"]


async def test_an_image_is_as_its_schema_says(image: Client, room: Image) -> None:
    room.show_locations = room.show_direct_url = True
    shown = await active(image)
    assert set(shown) == set((await image.get("/schemas/image"))["properties"])


def test_the_ledger_of_operations_is_true() -> None:
    text = (Path(image_room.__file__).parent / "coverage.toml").read_text()
    ledger = tomllib.loads(text)
    served = {f"{e.method} /v2{re.sub(r'{[^}]*}', '{}', e.path)}" for e in service().endpoints()}
    plain = {name: {re.sub(r"{[^}]*}", "{}", operation) for operation in ledger[name]} for name in ("done", "todo")}
    assert plain["done"] <= served
    assert not plain["todo"] & served
    assert len(ledger["done"]) + len(ledger["todo"]) == 81
