"""What compute claims to do, and what asking costs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import cumulet.services.compute as compute_room
from cumulet.services.compute.service import service
from tests.support.client import Client
from tests.support.small_cloud import SmallCloud


def plain(operation: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", operation)


def test_the_ledger_of_operations_is_true() -> None:
    ledger = tomllib.loads((Path(compute_room.__file__).parent / "coverage.toml").read_text())
    manifest = service()
    served = {plain(f"{e.method} /v2.1{e.path}") for e in manifest.endpoints()}
    served |= {plain(f"{e.method} {e.path}/") for e in manifest.roots}
    assert {plain(operation) for operation in ledger["done"]} <= served
    assert not {plain(operation) for operation in ledger["todo"]} & served
    assert len(ledger["done"]) + len(ledger["todo"]) == 209


@pytest.mark.db
async def test_no_host_owes_an_audit_of_usage(cloud: SmallCloud) -> None:
    admin = cloud.compute.as_("admin")
    found = (await admin.get("/os-instance_usage_audit_log"))["instance_usage_audit_logs"]
    assert (found["num_hosts"], found["hosts_not_run"]) == (2, ["one", "two"])
    before = (await admin.get("/os-instance_usage_audit_log/2026-03-15 00:00:00"))["instance_usage_audit_log"]
    assert before["period_beginning"] == "2026-02-01 00:00:00"
    assert before["period_ending"] == "2026-03-01 00:00:00"
    await admin.get("/os-instance_usage_audit_log/yesterday", 400)
    await cloud.compute.get("/os-instance_usage_audit_log", 403)


@pytest.mark.db
async def test_usage_of_no_project_in_particular_is_nowhere(cloud: SmallCloud) -> None:
    admin = cloud.compute.as_("admin")
    await admin.get("/os-simple-tenant-usage")
    await admin.get("/os-simple-tenant-usage/", 404)


@pytest.mark.db
async def test_servers_under_their_older_name(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    assert (await cloud.compute.get(f"/os-volumes_boot/{server['id']}"))["server"]["id"] == server["id"]
    assert len((await cloud.compute.get("/os-volumes_boot/detail"))["servers"]) == 1
    await cloud.compute.at("2.103").get("/os-volumes_boot/detail", 404)


@pytest.mark.db
async def test_flavors_by_name_and_without_what_nothing_used(cloud: SmallCloud) -> None:
    before, since, admin = cloud.compute.at("2.101"), cloud.compute.at("2.102"), cloud.compute.as_("admin")
    unused = {"rxtx_factor", "OS-FLV-DISABLED:disabled"}
    assert unused <= set((await before.get("/flavors/42"))["flavor"])
    assert not unused & set((await since.get("/flavors/42"))["flavor"])
    wish = {"name": "big.one", "ram": 1, "vcpus": 1, "disk": 1}
    await admin.at("2.102").post("/flavors", {"flavor": {**wish, "rxtx_factor": 2.0}}, 400)
    await admin.at("2.102").post("/flavors", {"flavor": wish}, 200)

    async def names(query: str) -> list[str]:
        return [flavor["name"] for flavor in (await since.get(f"/flavors?{query}"))["flavors"]]

    assert await names("name=ig.o") == await names("name=^big") == await names("name=one$") == ["big.one"]
    assert await names("name=^one") == []
    assert len((await before.get("/flavors?name=^one"))["flavors"]) > 1
    await since.get("/flavors?name=[", 400)
    await before.get("/flavors?sort_key=rxtx_factor")
    await since.get("/flavors?sort_key=rxtx_factor", 400)


@pytest.mark.db
async def test_digits_that_are_no_numbers(cloud: SmallCloud) -> None:
    admin, server = cloud.compute.as_("admin"), await cloud.make_server()
    for number in ("%C2%B2", "9" * 5000):
        await admin.get(f"/os-aggregates/{number}", 400)
        await admin.at("2.23").get(f"/servers/{server['id']}/migrations/{number}", 404)
        await admin.get(f"/servers/{server['id']}/os-volume_attachments?offset={number}", 400)


@pytest.mark.db
async def test_a_server_is_pinned_to_its_zone_and_unpinned(cloud: SmallCloud) -> None:
    server = await cloud.make_server(availability_zone="nova")
    path, client = f"/servers/{server['id']}", cloud.compute.at("2.104")
    assert (await client.get(path))["server"]["pinned_availability_zone"] == "nova"
    for zone in (None, None, "nova", "nova"):
        wish = {"server": {"pinned_availability_zone": zone}}
        assert (await client.put(path, wish))["server"]["pinned_availability_zone"] == zone
    await client.put(path, {"server": {"pinned_availability_zone": "elsewhere"}}, 400)
    await cloud.compute.at("2.103").put(path, {"server": {"pinned_availability_zone": None}}, 400)


@pytest.mark.db
async def test_a_resize_may_change_how_the_disk_is_divided(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    await cloud.do(server["id"], "resize", {"flavorRef": "84", "OS-DCF:diskConfig": "AUTO"})
    assert (await cloud.page(server["id"]))["OS-DCF:diskConfig"] == "AUTO"


@pytest.mark.db
async def test_of_backups_only_the_newest_stay(cloud: SmallCloud) -> None:
    server = await cloud.make_server()
    for name in ("first", "second", "third"):
        wish = {"name": name, "backup_type": "daily", "rotation": 2}
        cloud.clock.jump(60)
        await cloud.do(server["id"], "createBackup", wish)
    await cloud.do(server["id"], "createBackup", {"name": "other", "backup_type": "weekly", "rotation": 1})
    names = {image["name"] for image in (await cloud.image.get("/images"))["images"]}
    assert names == {"tiny", "second", "third", "other"}


@pytest.mark.db
async def test_a_volume_to_boot_from_goes_before_an_image_that_is_named_too(cloud: SmallCloud) -> None:
    image = await cloud.make_image()
    root = {"boot_index": 0, "source_type": "image", "destination_type": "volume", "volume_size": 1, "uuid": image}
    server = await cloud.make_server(image=image, block_device_mapping_v2=[root])
    assert (server["status"], server["image"]) == ("ACTIVE", "")
    assert len((await cloud.volume.get("/volumes"))["volumes"]) == 1


@pytest.mark.db
async def test_a_rescued_server_changes_its_groups(cloud: SmallCloud) -> None:
    await cloud.network.post("/security-groups", {"security_group": {"name": "web"}})
    server = await cloud.make_server()
    await cloud.do(server["id"], "rescue", {}, 200)
    assert (await cloud.page(server["id"]))["status"] == "RESCUE"
    await cloud.do(server["id"], "addSecurityGroup", {"name": "web"})
    await cloud.do(server["id"], "removeSecurityGroup", {"name": "web"})


@pytest.mark.db
async def test_the_version_of_before_the_microversions(cloud: SmallCloud) -> None:
    root = Client(cloud.compute.door, version="2.104", prefix="/")
    old, current = (await root.get(""))["versions"]
    assert (old["id"], old["status"], old["version"], old["min_version"]) == ("v2.0", "SUPPORTED", "", "")
    assert (current["id"], current["status"], current["min_version"]) == ("v2.1", "CURRENT", "2.1")
    for shown, path in ((old, "v2/"), (current, "v2.1/")):
        in_full = (await root.get(path))["version"]
        assert in_full["links"][0] == shown["links"][0]
        assert in_full["links"][0]["href"].endswith(f"/{path}")

    server = await cloud.make_server()
    shown = (await root.get(f"v2/servers/{server['id']}"))["server"]
    assert "tags" not in shown  # which came with 2.26, and was asked for in vain
    assert f"/v2/servers/{server['id']}" in shown["links"][0]["href"]
    assert "tags" in (await root.get(f"v2.1/servers/{server['id']}"))["server"]
