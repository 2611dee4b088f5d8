"""Backups are known elsewhere, or again, by their records."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from tests.api.block_storage.backing_up import NOBODY, back_up, holds, page, writes
from tests.api.block_storage.shop import Shop
from tests.support.personas import ALT

pytestmark = pytest.mark.db


async def record_of(shop: Shop, backup_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await shop.client.as_("admin").get(f"/backups/{backup_id}/export_record"))["backup-record"]
    return found


def changed(record: dict[str, Any], **values: Any) -> dict[str, Any]:
    inner = msgspec.json.decode(base64.b64decode(record["backup_url"])) | values
    return record | {"backup_url": base64.b64encode(msgspec.json.encode(inner)).decode()}


async def test_a_lost_backup_is_known_again_by_its_record(shop: Shop) -> None:
    volume, admin = await shop.make(1, name="v", metadata={"a": "1"}), shop.client.as_("admin")
    writes(shop, volume, "kept")
    backup = await back_up(shop, volume, name="b")
    record = await record_of(shop, backup)
    await admin.post("/backups/import_record", {"backup-record": record}, 400)
    copy = changed(record, id=NOBODY)
    made = (await admin.post("/backups/import_record", {"backup-record": copy}, 201))["backup"]
    assert (made["id"], made["name"]) == (NOBODY, "b")
    await shop.settle()
    assert (await page(shop, NOBODY, "admin"))["status"] == "available"
    # Two backups have the same bytes now; these go with the last of the two.
    await shop.client.delete(f"/backups/{backup}", 202)
    await shop.settle()
    assert shop.backups.images
    answer = (await admin.post(f"/backups/{NOBODY}/restore", {"restore": None}, 202))["restore"]
    await shop.settle()
    assert holds(shop, answer["volume_id"]) == "kept"
    assert (await shop.see(answer["volume_id"], "admin"))["metadata"] == {"a": "1"}
    await admin.delete(f"/backups/{NOBODY}", 202)
    await shop.settle()
    assert shop.backups.images == {}


async def test_a_record_is_believed_when_the_store_holds_what_it_names(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    backup = await back_up(shop, await shop.make())
    record = await record_of(shop, backup)
    for values in ({"object_id": NOBODY}, {"table_digest": "0" * 64}, {"size": 2}, {"table_length": 3}):
        body = {"backup-record": changed(record, id=NOBODY, **values)}
        await admin.post("/backups/import_record", body, 201)
        await shop.settle()
        found = await page(shop, NOBODY, "admin")
        assert (found["status"], bool(found["fail_reason"])) == ("error", True), values
        await admin.delete(f"/backups/{NOBODY}", 202)
        await shop.settle()
    assert backup in shop.backups.images


@pytest.mark.parametrize(
    "values",
    [
        {"id": "x"}, {"object_id": "../../etc/passwd"}, {"size": 0}, {"size": "1"}, {"size": 1 << 40},
        {"table_start": -1}, {"table_digest": "x"}, {"name": "x" * 256}, {"metadata": {"a": 1}}, {"cow": 1},
        {"description": "\0"}, {"metadata": {"a": "x" * 256}}, {"parent_id": "p"},
        {"parent_id": NOBODY}, {"data_timestamp": 1 << 58},
    ],
)  # fmt: skip
async def test_a_record_that_is_none_is_refused(shop: Shop, values: dict[str, Any]) -> None:
    admin = shop.client.as_("admin")
    record = changed(await record_of(shop, await back_up(shop, await shop.make())), id=NOBODY)
    await admin.post("/backups/import_record", {"backup-record": changed(record, **values)}, 400)
    await shop.client.get(f"/backups/{NOBODY}", 404)


async def test_other_records_are_refused(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    record = await record_of(shop, await back_up(shop, await shop.make()))
    for wrong in ({"backup_service": "cinder.backup.drivers.swift"}, {"backup_url": "no base64!"}, {"backup_url": ""}):
        await admin.post("/backups/import_record", {"backup-record": record | wrong}, 400)
    await shop.client.post("/backups/import_record", {"backup-record": record}, 403)
    await shop.client.as_("stranger").get(f"/os-quota-sets/{ALT}")
