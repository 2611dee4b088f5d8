"""What nodes have and nobody here: listed, taken over, and let go of without being destroyed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.block_storage.shop import Shop

pytestmark = pytest.mark.db
NOBODY = "0a0a0a0a-0000-4000-8000-000000000001"


def holder(shop: Shop, volume_id: str) -> str:
    """The host, as an administrator names it, that has a volume."""
    for node, world in shop.nodes.volumes.items():
        if volume_id in world.volumes:
            return f"{node}@local#local"
    raise AssertionError("no node has it")


async def listed(shop: Shop, host: str, what: str = "volumes", more: str = "") -> list[dict[str, Any]]:
    path = f"/manageable_{what}/detail?host={host.replace('#', '%23')}{more}"
    found: list[dict[str, Any]] = (await shop.client.as_("admin").get(path))[f"manageable-{what}"]
    return found


async def manage(shop: Shop, host: str, volume_id: str, status: int = 202, **wish: Any) -> Any:
    body = {"volume": {"host": host, "ref": {"source-name": f"volume-{volume_id}"}, **wish}}
    answer = await shop.client.as_("admin").post("/manageable_volumes", body, status)
    return answer.get("volume", answer)


async def test_a_volume_is_let_go_and_taken_back(shop: Shop) -> None:
    volume = await shop.make(2, name="mine")
    host = holder(shop, volume)
    real = shop.real(volume)
    assert real is not None
    real.content = "precious"
    (shown,) = await listed(shop, host)
    assert (shown["safe_to_manage"], shown["reason_not_safe"], shown["cinder_id"]) == (False, "already managed", volume)
    await manage(shop, host, volume, 400)

    await shop.act(volume, "os-unmanage", persona="admin")
    await shop.client.get(f"/volumes/{volume}", 404)
    assert await shop.used() == {}
    assert shop.real(volume) is real
    (shown,) = await listed(shop, host)
    assert shown == {
        "reference": {"source-name": f"volume-{volume}"},
        "size": 2,
        "safe_to_manage": True,
        "reason_not_safe": None,
        "cinder_id": None,
        "extra_info": None,
    }
    brief = await shop.client.as_("admin").get(f"/manageable_volumes?host={host.partition('@')[0]}")
    assert set(brief["manageable-volumes"][0]) == {"reference", "size", "safe_to_manage"}

    begun = await manage(shop, host, volume, name="back", metadata={"a": "1"}, bootable=True)
    assert begun["status"] == "managing"
    await shop.settle()
    page = await shop.see(begun["id"], "admin")
    assert (page["status"], page["name"], page["size"], page["bootable"]) == ("available", "back", 2, "true")
    assert (page["metadata"], page["os-vol-host-attr:host"]) == ({"a": "1"}, host)
    back = shop.real(begun["id"])
    assert back is not None
    assert back.content == "precious"
    assert shop.real(volume) is None
    await shop.client.as_("admin").delete(f"/volumes/{begun['id']}", 202)
    await shop.settle()
    assert await listed(shop, host) == []


async def test_a_snapshot_is_let_go_and_taken_back(shop: Shop) -> None:
    volume = await shop.make(1)
    snapshot, host = await shop.take(volume), holder(shop, volume)
    await shop.act(volume, "os-extend", {"new_size": 3})
    await shop.client.as_("admin").post(f"/snapshots/{snapshot}/action", {"os-unmanage": None}, 202)
    await shop.client.get(f"/snapshots/{snapshot}", 404)
    await shop.settle()
    real = shop.real(volume)
    assert real is not None
    assert list(real.snapshots) == [snapshot]
    (shown,) = await listed(shop, host, "snapshots")
    assert (shown["safe_to_manage"], shown["size"]) == (True, 1)
    assert shown["source_reference"] == {"source-name": f"volume-{volume}"}
    assert (await shop.used())["gigabytes"] == 3

    admin = shop.client.as_("admin")
    wish = {"volume_id": volume, "ref": shown["reference"], "name": "back", "metadata": {"a": "1"}}
    await admin.post("/manageable_snapshots", {"snapshot": wish | {"ref": {"source-id": NOBODY}}}, 400)
    made = (await admin.post("/manageable_snapshots", {"snapshot": wish}, 202))["snapshot"]
    await admin.post("/manageable_snapshots", {"snapshot": wish}, 400)
    await shop.settle()
    page = (await shop.client.get(f"/snapshots/{made['id']}"))["snapshot"]
    assert (page["status"], page["size"], page["name"], page["metadata"]) == ("available", 1, "back", {"a": "1"})
    (shown,) = await listed(shop, host, "snapshots")
    assert (shown["safe_to_manage"], shown["cinder_id"]) == (False, made["id"])
    # It is as good as any other: volumes and backups are made of it, and it goes.
    copy = await shop.make(1, snapshot_id=made["id"])
    assert await shop.status(copy) == "available"
    backup = {"volume_id": volume, "snapshot_id": made["id"]}
    kept = (await shop.client.post("/backups", {"backup": backup}, 202))["backup"]
    await shop.settle()
    assert (await shop.client.get(f"/backups/{kept['id']}"))["backup"]["status"] == "available"
    await shop.client.delete(f"/snapshots/{made['id']}", 202)
    await shop.settle()
    assert not real.snapshots


async def test_a_volume_keeps_the_snapshots_that_nobody_has(shop: Shop) -> None:
    volume = await shop.make(1)
    snapshot, host = await shop.take(volume), holder(shop, volume)
    await shop.act(volume, "os-unmanage", status=400, persona="admin")
    await shop.client.as_("admin").post(f"/snapshots/{snapshot}/action", {"os-unmanage": None}, 202)
    await shop.act(volume, "os-unmanage", persona="admin")
    (shown,) = await listed(shop, host, "snapshots")
    assert (shown["safe_to_manage"], shown["reason_not_safe"]) == (False, "its volume is not managed")
    again = (await manage(shop, host, volume))["id"]
    await shop.settle()
    real = shop.real(again)
    assert real is not None
    assert list(real.snapshots) == [snapshot]
    (shown,) = await listed(shop, host, "snapshots")
    assert shown["safe_to_manage"]


async def test_what_is_gone_meanwhile_is_an_error(shop: Shop) -> None:
    volume = await shop.make(1)
    host = holder(shop, volume)
    await shop.act(volume, "os-unmanage", persona="admin")
    begun = await manage(shop, host, volume)
    for world in shop.nodes.volumes.values():
        world.volumes.pop(volume, None)
    await shop.settle()
    assert (await shop.see(begun["id"], "admin"))["status"] == "error_managing"
    await shop.client.as_("admin").delete(f"/volumes/{begun['id']}", 202)
    await shop.settle()
    await shop.client.as_("admin").get(f"/volumes/{begun['id']}", 404)


async def test_lists_have_an_order_and_parts(shop: Shop) -> None:
    shop.nodes.kill("two")
    volumes = [await shop.make(size) for size in (3, 1, 2)]
    for volume in volumes:
        await shop.act(volume, "os-unmanage", persona="admin")
    host = holder(shop, volumes[0])
    assert [one["size"] for one in await listed(shop, host, more="&sort=size:asc")] == [1, 2, 3]
    assert [one["size"] for one in await listed(shop, host, more="&sort=size:desc&limit=1&offset=1")] == [2]
    names = [one["reference"]["source-name"] for one in await listed(shop, host)]
    assert names == sorted(f"volume-{one}" for one in volumes)
    rest = await listed(shop, host, more=f"&marker={names[0]}")
    assert [one["reference"]["source-name"] for one in rest] == names[1:]
    admin = shop.client.as_("admin")
    for wrong in ("", "?host=", "?host=one&sort=cow", "?host=one&limit=x", "?host=one&marker=x"):
        await admin.get(f"/manageable_volumes{wrong}", 400)
    await admin.get("/manageable_volumes?host=three", 404)
    await admin.at("3.7").get("/manageable_volumes?host=one", 404)
    assert (await admin.at("3.7").get("/os-volume-manage?host=one"))["manageable-volumes"]


@pytest.mark.parametrize(
    "wish",
    [
        {"ref": {"source-name": "../../etc/passwd"}},
        {"ref": {}},
        {"ref": {"source-name": 5}},
        {"ref": {"source-name": f"volume-{NOBODY}"}},
        {"host": None},
        {"cow": 1},
        {"name": "x" * 256},
    ],
)
async def test_bad_wishes_leave_no_trace(shop: Shop, wish: dict[str, Any]) -> None:
    volume = await shop.make(1)
    host = holder(shop, volume)
    await shop.act(volume, "os-unmanage", persona="admin")
    body = {"host": host, "ref": {"source-name": f"volume-{volume}"}, **wish}
    await shop.client.as_("admin").post("/manageable_volumes", {"volume": body}, 400)
    await shop.settle()
    assert await shop.used() == {}
    assert (await listed(shop, host))[0]["safe_to_manage"]


async def test_administrators_only(shop: Shop) -> None:
    volume = await shop.make(1)
    snapshot = await shop.take(volume)
    for what in ("volumes", "snapshots"):
        await shop.client.get(f"/manageable_{what}?host=one", 403)
    await shop.act(volume, "os-unmanage", status=403)
    await shop.client.post(f"/snapshots/{snapshot}/action", {"os-unmanage": None}, 403)
    ref = {"source-name": f"volume-{volume}"}
    await shop.client.post("/manageable_volumes", {"volume": {"host": "one", "ref": ref}}, 403)
    await shop.client.post("/manageable_snapshots", {"snapshot": {"volume_id": volume, "ref": ref}}, 403)
