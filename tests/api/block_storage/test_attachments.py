"""Attachments: who holds a volume."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.block_storage.shop import Shop

pytestmark = pytest.mark.db
SERVER = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
CONNECTOR = {"host": "far", "mountpoint": "/dev/vdb", "mode": "ro"}


async def attach(shop: Shop, volume: str, status: int = 200, **more: Any) -> Any:
    body = {"attachment": {"volume_uuid": volume, "instance_uuid": SERVER, **more}}
    answer = await shop.client.post("/attachments", body, status)
    return answer["attachment"] if status == 200 else answer


async def test_an_attachment_is_promised_connected_completed_and_ended(shop: Shop) -> None:
    volume = await shop.make()
    made = await attach(shop, volume)
    assert (made["status"], made["instance"], made["volume_id"], made["connection_info"]) == (
        "reserved", SERVER, volume, {},
    )  # fmt: skip
    assert await shop.status(volume) == "reserved"
    await shop.client.delete(f"/volumes/{volume}", 400)
    path = f"/attachments/{made['id']}"
    ready = (await shop.client.put(path, {"attachment": {"connector": CONNECTOR}}))["attachment"]
    assert (ready["status"], ready["attach_mode"]) == ("attaching", "ro")
    assert ready["connection_info"]["volume_id"] == volume
    assert await shop.status(volume) == "attaching"
    await shop.client.post(f"{path}/action", {"os-complete": {}}, 204)
    page = await shop.see(volume)
    assert page["status"] == "in-use"
    [shown] = page["attachments"]
    assert (shown["server_id"], shown["attachment_id"], shown["host_name"], shown["device"]) == (
        SERVER, made["id"], "far", "/dev/vdb",
    )  # fmt: skip
    assert (await shop.client.get(path))["attachment"]["attached_at"]
    [brief] = (await shop.client.get(f"/attachments?volume_id={volume}"))["attachments"]
    assert set(brief) == {"id", "status", "instance", "volume_id"}
    assert len((await shop.client.get("/attachments/detail"))["attachments"]) == 1
    await shop.client.at("3.43").post(f"{path}/action", {"os-complete": {}}, 400)
    assert await shop.client.delete(path, 200) == {"attachments": []}
    await shop.client.get(path, 404)
    assert await shop.status(volume) == "available"


async def test_a_connector_at_once(shop: Shop) -> None:
    volume = await shop.make()
    assert (await attach(shop, volume, connector=CONNECTOR))["status"] == "attaching"


async def test_a_connector_that_is_none(shop: Shop) -> None:
    volume = await shop.make()
    for connector in ({"host": "far\0"}, {"host": "far", "mountpoint": "\0"}, {"host": "x" * 9000}):
        await attach(shop, volume, 400, connector=connector)
    assert await shop.status(volume) == "available"


async def test_versions(shop: Shop) -> None:
    volume = await shop.make()
    body = {"attachment": {"volume_uuid": volume, "instance_uuid": SERVER, "mode": "ro"}}
    await shop.client.at("3.26").get("/attachments", 404)
    await shop.client.at("3.53").post("/attachments", body, 400)
    await shop.client.at("3.54").post("/attachments", body, 200)


async def test_one_at_a_time_unless_the_type_allows_more(shop: Shop) -> None:
    volume = await shop.make()
    await attach(shop, volume)
    await attach(shop, volume, 409)
    kind = {"name": "shared", "extra_specs": {"multiattach": "<is> True"}}
    await shop.client.as_("admin").post("/types", {"volume_type": kind}, 200)
    shared = await shop.make(volume_type="shared")
    assert (await shop.see(shared))["multiattach"] is True
    first = await attach(shop, shared)
    await attach(shop, shared)
    assert len((await shop.client.delete(f"/attachments/{first['id']}", 200))["attachments"]) == 1


async def test_strangers_and_readers(shop: Shop) -> None:
    volume = await shop.make()
    made = await attach(shop, volume)
    body = {"attachment": {"volume_uuid": volume, "instance_uuid": SERVER}}
    await shop.client.as_("stranger").post("/attachments", body, 404)
    await shop.client.as_("stranger").get(f"/attachments/{made['id']}", 404)
    await shop.client.as_("reader").delete(f"/attachments/{made['id']}", 403)
    await shop.client.as_("stranger").delete(f"/attachments/{made['id']}", 404)


@pytest.mark.parametrize("body", [{}, {"volume_uuid": "x"}, {"volume_uuid": SERVER, "connector": "x"}])
async def test_bad_wishes(shop: Shop, body: dict[str, Any]) -> None:
    await shop.client.post("/attachments", {"attachment": body}, 400)


async def test_the_older_verbs(shop: Shop) -> None:
    volume = await shop.make()
    await shop.act(volume, "os-reserve", {})
    assert await shop.status(volume) == "attaching"
    await shop.act(volume, "os-reserve", {}, 400)
    await shop.act(volume, "os-unreserve", {})
    assert await shop.status(volume) == "available"
    info = await shop.act(volume, "os-initialize_connection", {"connector": CONNECTOR}, 200)
    assert info["connection_info"]["data"]["volume_id"] == volume
    await shop.act(volume, "os-attach", {"mountpoint": "/dev/vdc"}, 400)
    await shop.act(volume, "os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdc"})
    assert (await shop.see(volume))["attachments"][0]["device"] == "/dev/vdc"
    await shop.act(volume, "os-begin_detaching", {})
    assert await shop.status(volume) == "detaching"
    await shop.act(volume, "os-roll_detaching", {})
    assert await shop.status(volume) == "in-use"
    await shop.act(volume, "os-terminate_connection", {"connector": CONNECTOR})
    await shop.act(volume, "os-detach", {"attachment_id": OTHER}, 400)
    await shop.act(volume, "os-detach", {})
    assert await shop.status(volume) == "available"
    await shop.act(volume, "os-attach", {"host_name": "far", "mountpoint": "/dev/vdc"})
    await shop.act(volume, "os-force_detach", {}, 403)
    await shop.act(volume, "os-force_detach", {}, persona="admin")
    assert await shop.status(volume) == "available"


async def test_what_compute_holds_only_compute_lets_go(shop: Shop) -> None:
    server = await shop.make_server()
    volume = await shop.make()
    await shop.compute.post(
        f"/servers/{server['id']}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}}, 200
    )
    await shop.settle()
    page = await shop.see(volume)
    assert page["status"] == "in-use"
    key = page["attachments"][0]["attachment_id"]
    await shop.client.delete(f"/attachments/{key}", 409)
    await shop.act(volume, "os-detach", {}, 409)
    await shop.act(volume, "os-terminate_connection", {"connector": CONNECTOR}, 409)
    await shop.compute.delete(f"/servers/{server['id']}/os-volume_attachments/{volume}", 202)
    await shop.settle()
    assert await shop.status(volume) == "available"
    await shop.client.get(f"/attachments/{key}", 404)
