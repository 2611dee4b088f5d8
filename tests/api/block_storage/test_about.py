"""What the service says of itself, of its nodes, and of what projects may hold."""

from __future__ import annotations

import logging
import re
import tomllib
from pathlib import Path

import pytest

from cumulet.services import block_storage
from cumulet.services.block_storage.service import service
from tests.api.block_storage.shop import Shop
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


async def test_services_are_nodes(shop: Shop) -> None:
    admin = shop.client.as_("admin").at("3.0")
    found = (await admin.get("/os-services?binary=cinder-volume"))["services"]
    assert {one["host"] for one in found} == {"one@local", "two@local"}
    body = {"host": "one@local", "binary": "cinder-volume", "disabled_reason": "repair"}
    await admin.put("/os-services/disable-log-reason", body)
    [one] = (await admin.get("/os-services?host=one@local"))["services"]
    assert (one["status"], one["disabled_reason"], one["state"]) == ("disabled", "repair", "up")
    for _ in range(2):
        volume = await shop.make()
        assert (await shop.see(volume, "admin"))["os-vol-host-attr:host"] == "two@local#local"
    assert (await admin.put("/os-services/enable", {"host": "one@local", "binary": "cinder-volume"}))[
        "disabled"
    ] is False
    await admin.put("/os-services/disable", {"host": "one", "binary": "cinder-volume"})
    await admin.put("/os-services/enable", {"host": "three", "binary": "cinder-volume"}, 404)
    await admin.put("/os-services/enable", {"host": "one"}, 400)
    await shop.client.get("/os-services", 403)
    [total, mine] = (await admin.get("/os-hosts/two@local"))["host"]
    assert total["resource"]["volume_count"] == "2"
    assert mine["resource"]["project"] == DEMO
    assert len((await admin.get("/os-hosts"))["hosts"]) == 2
    await admin.get("/os-hosts/three", 404)


async def test_pools_and_capabilities(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    await shop.make(size=7)
    pools = (await admin.get("/scheduler-stats/get_pools?detail=True"))["pools"]
    assert [pool["name"] for pool in pools] == ["one@local#local", "two@local#local"]
    assert sorted(pool["capabilities"]["free_capacity_gb"] for pool in pools) == [993, 1000]
    assert (await admin.get("/scheduler-stats/get_pools"))["pools"][0] == {"name": "one@local#local"}
    assert (await admin.get("/capabilities/one@local"))["storage_protocol"] == "file"
    await admin.get("/capabilities/nowhere", 404)
    await shop.client.get("/scheduler-stats/get_pools", 403)


async def test_zones(shop: Shop) -> None:
    shop.nodes.join("three", zone="attic")
    zones = (await shop.client.get("/os-availability-zone"))["availabilityZoneInfo"]
    assert zones == [
        {"zoneName": "attic", "zoneState": {"available": True}},
        {"zoneName": "nova", "zoneState": {"available": True}},
    ]
    volume = await shop.make(availability_zone="attic")
    assert (await shop.see(volume, "admin"))["os-vol-host-attr:host"] == "three@local#local"


async def test_quotas(shop: Shop) -> None:
    admin, path = shop.client.as_("admin"), f"/os-quota-sets/{DEMO}"
    await shop.make(size=2)
    shown = (await shop.client.get(path))["quota_set"]
    assert (shown["id"], shown["volumes"], shown["per_volume_gigabytes"]) == (DEMO, 10, -1)
    usage = (await shop.client.get(f"{path}?usage=True"))["quota_set"]
    assert usage["gigabytes"] == {"limit": 1000, "in_use": 2, "reserved": 0}
    assert (await admin.put(path, {"quota_set": {"volumes": 5}}))["quota_set"]["volumes"] == 5
    await admin.put(path, {"quota_set": {"volumes": -2}}, 400)
    await admin.put(path, {"quota_set": {"cows": 2}}, 400)
    await admin.put(path, {"quota_set": {}}, 400)
    await shop.client.put(path, {"quota_set": {"volumes": 50}}, 403)
    await shop.client.as_("stranger").get(path, 403)
    assert (await shop.client.get(f"{path}/defaults"))["quota_set"]["volumes"] == 10
    await admin.put("/os-quota-class-sets/default", {"quota_class_set": {"snapshots": 3}})
    assert (await admin.get("/os-quota-class-sets/default"))["quota_class_set"]["snapshots"] == 3
    await admin.delete(path, 200)
    shown = (await shop.client.get(path))["quota_set"]
    assert (shown["volumes"], shown["snapshots"]) == (10, 3)
    limits = (await shop.client.get("/limits"))["limits"]["absolute"]
    assert (limits["maxTotalSnapshots"], limits["totalGigabytesUsed"]) == (3, 2)


async def test_extensions_and_filters(shop: Shop) -> None:
    aliases = {one["alias"] for one in (await shop.client.get("/extensions"))["extensions"]}
    assert {"os-volume-transfer", "qos-specs", "os-types-manage"} <= aliases
    [found] = (await shop.client.get("/resource_filters?resource=volume"))["resource_filters"]
    assert "name" in found["filters"]
    await shop.client.at("3.32").get("/resource_filters", 404)


def test_the_ledger_of_operations_is_true() -> None:
    text = (Path(block_storage.__file__).parent / "coverage.toml").read_text()
    ledger = tomllib.loads(text)
    plain = {name: {re.sub(r"{[^}]*}", "{}", operation) for operation in ledger[name]} for name in ledger}
    served = {f"{e.method} /v3{re.sub(r'{[^}]*}', '{}', e.path)}" for e in service().endpoints()}
    served |= {f"POST /v3{noun.path}/{{}}/action ({verb})" for noun in service().resources for verb in noun.actions}
    assert plain["done"] <= served
    assert not (plain["todo"] | plain["exempt"]) & served
    assert (
        len([operation for operation in (*ledger["done"], *ledger["todo"], *ledger["exempt"]) if " (" not in operation])
        == 173
    )


async def test_levels_of_the_log(shop: Shop) -> None:
    admin = shop.client.as_("admin")
    logger, other = logging.getLogger("cumulet.test.quiet"), logging.getLogger("cumulet.testing")
    before = other.getEffectiveLevel()
    wish = {"binary": "cinder-api", "prefix": "cumulet.test.", "level": "debug"}
    await admin.put("/os-services/set-log", wish, 202)
    assert (logger.level, other.getEffectiveLevel()) == (logging.DEBUG, before)
    found = (await admin.put("/os-services/get-log", {"prefix": "cumulet.test."}))["log_levels"]
    assert {one["binary"]: one["levels"] for one in found} == {
        binary: {"cumulet.test.quiet": "DEBUG"} for binary in ("cinder-api", "cinder-scheduler", "cinder-backup")
    }
    await admin.put("/os-services/set-log", {"binary": "cinder-volume", "level": "ERROR"}, 202)
    assert logger.level == logging.DEBUG
    assert (await admin.put("/os-services/get-log", {"server": "elsewhere"}))["log_levels"] == []
    for wrong in ({"level": "loud"}, {"level": None}, {"binary": "nova-api", "level": "INFO"}, {"cow": 1}):
        await admin.put("/os-services/set-log", wrong, 400)
    await shop.client.put("/os-services/set-log", wish, 403)
    await shop.client.put("/os-services/get-log", {}, 403)
    await admin.at("3.31").put("/os-services/get-log", {}, 404)


async def test_what_is_not_settled_is_looked_at(shop: Shop) -> None:
    admin, volume = shop.client.as_("admin"), await shop.make(1)
    node = (await shop.see(volume, "admin"))["os-vol-host-attr:host"].partition("@")[0]
    answer = await admin.post("/workers/cleanup", {}, 202)
    assert answer == {"cleaning": [], "unavailable": []}
    answer = await admin.post("/workers/cleanup", {"is_up": True, "host": node, "resource_type": "Volume"}, 202)
    (one,) = answer["cleaning"]
    assert (one["host"], one["binary"], one["cluster_name"]) == (f"{node}@local", "cinder-volume", None)
    await shop.client.post(f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}}, 202)
    shop.woken.clear()
    wish = {"is_up": True, "resource_type": "Volume", "resource_id": volume}
    await admin.post("/workers/cleanup", wish, 202)
    assert {key for _, key in shop.woken} == {volume}
    await shop.settle()
    assert await shop.status(volume) == "available"
    await admin.post("/workers/cleanup", {"resource_id": volume}, 400)
    await shop.client.post("/workers/cleanup", {}, 403)
    await admin.at("3.23").post("/workers/cleanup", {}, 404)


async def test_nothing_is_replicated(shop: Shop) -> None:
    admin, volume = shop.client.as_("admin"), await shop.make(1)
    host = (await shop.see(volume, "admin"))["os-vol-host-attr:host"].partition("#")[0]
    refusal = await admin.put("/os-services/failover_host", {"host": host, "backend_id": "x"}, 400)
    assert "nothing to fail over to" in refusal["badRequest"]["message"]
    await shop.client.put("/os-services/failover_host", {"host": host}, 403)
    await shop.act(volume, "os-extend_volume_completion", {"error": False}, 400, "admin")
