"""Persona by verb: what each may do with a project's volumes, snapshots, attachments, and what is everybody's."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.api.block_storage.shop import Shop
from tests.support.personas import DEMO

ANYBODY = ("admin", "manager", "member", "reader", "stranger", "nobody", "service")

# (noun, verb): method, path below the item, body; the statuses for each of ANYBODY
VERBS: dict[str, tuple[str, str, Any, tuple[int, ...]]] = {
    "volume: show": ("GET", "", None, (200, 200, 200, 200, 404, 403, 404)),
    "volume: rename": ("PUT", "", {"volume": {"name": "x"}}, (200, 200, 200, 403, 404, 403, 404)),
    "volume: delete": ("DELETE", "", None, (202, 202, 202, 403, 404, 403, 404)),
    "volume: force delete": ("DELETE", "?force=true", None, (202, 403, 403, 403, 404, 403, 404)),
    "volume: metadata": ("GET", "/metadata", None, (200, 200, 200, 200, 404, 403, 404)),
    "volume: set metadata": ("POST", "/metadata", {"metadata": {}}, (200, 200, 200, 403, 404, 403, 404)),
    "volume: extend": ("POST", "/action", {"os-extend": {"new_size": 2}}, (202, 202, 202, 403, 404, 403, 404)),
    "volume: retype": ("POST", "/action", {"os-retype": {"new_type": "b"}}, (202, 202, 202, 403, 404, 403, 404)),
    "volume: reserve": ("POST", "/action", {"os-reserve": {}}, (202, 202, 202, 403, 404, 403, 404)),
    "volume: say": (
        "POST", "/action", {"os-reset_status": {"status": "error"}}, (202, 403, 403, 403, 404, 403, 404),
    ),
    "volume: force detach": ("POST", "/action", {"os-force_detach": {}}, (202, 403, 403, 403, 404, 403, 404)),
    "snapshot: show": ("GET", "", None, (200, 200, 200, 200, 404, 403, 404)),
    "snapshot: rename": ("PUT", "", {"snapshot": {"name": "x"}}, (200, 200, 200, 403, 404, 403, 404)),
    "snapshot: delete": ("DELETE", "", None, (202, 202, 202, 403, 404, 403, 404)),
    "snapshot: say": (
        "POST", "/action", {"os-reset_status": {"status": "error"}}, (202, 403, 403, 403, 404, 403, 404),
    ),
    "attachment: show": ("GET", "", None, (200, 200, 200, 200, 404, 403, 404)),
    "attachment: complete": ("POST", "/action", {"os-complete": {}}, (204, 204, 204, 403, 404, 403, 404)),
    "attachment: delete": ("DELETE", "", None, (200, 200, 200, 403, 404, 403, 404)),
    "transfer: show": ("GET", "", None, (200, 200, 200, 200, 404, 403, 404)),
    "transfer: delete": ("DELETE", "", None, (202, 202, 202, 403, 404, 403, 404)),
}  # fmt: skip


async def made(shop: Shop, noun: str) -> str:
    """The path of a thing of the members' project."""
    volume = await shop.make()
    if noun == "snapshot":
        return f"/snapshots/{await shop.take(volume)}"
    if noun == "attachment":
        found = await shop.client.post("/attachments", {"attachment": {"volume_uuid": volume}}, 200)
        return f"/attachments/{found['attachment']['id']}"
    if noun == "transfer":
        found = await shop.client.post("/volume-transfers", {"transfer": {"volume_id": volume}}, 202)
        return f"/volume-transfers/{found['transfer']['id']}"
    return f"/volumes/{volume}"


@pytest.mark.parametrize("verb", VERBS)
async def test_what_each_may_do(database: Database, bus: MemoryBus, verb: str) -> None:
    shop = Shop(database, bus)
    await shop.start()
    await shop.client.as_("admin").post("/types", {"volume_type": {"name": "b"}}, 200)
    method, below, body, statuses = VERBS[verb]
    got = []
    for who in ANYBODY:
        path = await made(shop, verb.partition(":")[0])
        got.append((await shop.client.as_(who)(method, path + below, body)).status_code)
    assert dict(zip(ANYBODY, got, strict=True)) == dict(zip(ANYBODY, statuses, strict=True))


EVERYBODY_READS = (200, 200, 200, 200, 200, 403, 403)
ADMIN_ONLY = (200, 403, 403, 403, 403, 403, 403)


@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [
        ("GET", "/volumes", None, EVERYBODY_READS),
        ("GET", "/volumes/detail", None, EVERYBODY_READS),
        ("POST", "/volumes", {"volume": {"size": 1}}, (202, 202, 202, 403, 202, 403, 403)),
        ("GET", "/snapshots", None, EVERYBODY_READS),
        ("GET", "/volume-transfers", None, EVERYBODY_READS),
        ("GET", "/messages", None, EVERYBODY_READS),
        ("GET", "/types", None, EVERYBODY_READS),
        ("POST", "/types", {"volume_type": {"name": "t"}}, ADMIN_ONLY),
        ("GET", "/qos-specs", None, ADMIN_ONLY),
        ("POST", "/group_types", {"group_type": {"name": "g"}}, (202, 403, 403, 403, 403, 403, 403)),
        ("GET", "/default-types", None, ADMIN_ONLY),
        ("GET", "/os-services", None, ADMIN_ONLY),
        ("GET", "/os-hosts", None, ADMIN_ONLY),
        ("GET", "/scheduler-stats/get_pools", None, ADMIN_ONLY),
        ("GET", "/clusters", None, ADMIN_ONLY),
        ("GET", f"/os-quota-sets/{DEMO}", None, (200, 200, 200, 200, 403, 403, 403)),
        ("PUT", f"/os-quota-sets/{DEMO}", {"quota_set": {"volumes": 3}}, ADMIN_ONLY),
        ("GET", "/os-quota-class-sets/default", None, ADMIN_ONLY),
        ("GET", "/limits", None, (200, 200, 200, 200, 200, 200, 200)),
        ("GET", "/os-availability-zone", None, (200, 200, 200, 200, 200, 200, 200)),
    ],
)
async def test_what_each_may_ask_of_the_service(
    database: Database, bus: MemoryBus, method: str, path: str, body: Any, statuses: tuple[int, ...]
) -> None:
    shop = Shop(database, bus)
    await shop.start()
    got = [(await shop.client.as_(who)(method, path, body)).status_code for who in ANYBODY]
    assert dict(zip(ANYBODY, got, strict=True)) == dict(zip(ANYBODY, statuses, strict=True))
