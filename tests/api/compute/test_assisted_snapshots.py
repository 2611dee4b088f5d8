"""Snapshots of attached volumes by the door that storage services use, and an old name for servers' actions."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.api.compute.test_images_of_volumes import booted_from_volume, snapshots
from tests.support.small_cloud import SmallCloud


def wish(volume_id: str, snapshot_id: str, **more: Any) -> dict[str, Any]:
    info = {"snapshot_id": snapshot_id, "type": "qcow2", "new_file": "next.qcow2", **more}
    return {"snapshot": {"volume_id": volume_id, "create_info": info}}


def dropping(volume_id: str, snapshot_id: str) -> str:
    return f"/os-assisted-volume-snapshots/{snapshot_id}?delete_info={quote(json.dumps({'volume_id': volume_id}))}"


async def test_a_machine_helps_to_take_and_to_drop_a_snapshot(cloud: SmallCloud) -> None:
    _, (volume_id, other) = await booted_from_volume(cloud)
    admin, snapshot_id = cloud.compute.as_("admin"), str(uuid4())
    for _ in "twice":
        answer = await admin.post("/os-assisted-volume-snapshots", wish(volume_id, snapshot_id), 200)
        assert answer == {"snapshot": {"id": snapshot_id, "volumeId": volume_id}}
        await cloud.settle()
    (taken,) = await snapshots(cloud)
    assert (taken["id"], taken["volume_id"], taken["status"]) == (snapshot_id, volume_id, "available")
    assert any(
        snapshot_id in world.volumes[volume_id].snapshots
        for world in cloud.nodes.volumes.values()
        if volume_id in world.volumes
    )
    await admin.post("/os-assisted-volume-snapshots", wish(other, snapshot_id), 400)
    await admin.delete(dropping(other, snapshot_id), 400)
    for _ in "twice":
        await admin.delete(dropping(volume_id, snapshot_id), 204)
        await cloud.settle()
    assert await snapshots(cloud) == []


async def test_what_its_maker_calls_it_is_given_back(cloud: SmallCloud) -> None:
    _, (volume_id, _) = await booted_from_volume(cloud)
    body = wish(volume_id, str(uuid4()), id="mine")
    answer = await cloud.compute.as_("admin").post("/os-assisted-volume-snapshots", body, 200)
    assert answer["snapshot"]["id"] == "mine"


async def test_a_volume_that_no_machine_has_is_refused(cloud: SmallCloud) -> None:
    volume_id, admin = await cloud.make_volume(), cloud.compute.as_("admin")
    answer = await admin.post("/os-assisted-volume-snapshots", wish(volume_id, str(uuid4())), 400)
    assert "not attached" in answer["badRequest"]["message"]
    await admin.delete(dropping(volume_id, str(uuid4())), 400)


@pytest.mark.parametrize("query", ["", "?delete_info=", "?delete_info=x", "?delete_info={}", "?delete_info=[]"])
async def test_a_delete_says_of_which_volume(cloud: SmallCloud, query: str) -> None:
    await cloud.compute.as_("admin").delete(f"/os-assisted-volume-snapshots/{uuid4()}{query}", 400)


async def test_it_is_for_services_and_administrators(cloud: SmallCloud) -> None:
    body = wish(str(uuid4()), str(uuid4()))
    await cloud.compute.as_("member").post("/os-assisted-volume-snapshots", body, 403)
    await cloud.compute.as_("member").delete(dropping(str(uuid4()), str(uuid4())), 403)


async def test_servers_are_acted_on_by_their_old_name(cloud: SmallCloud) -> None:
    server_id, _ = await booted_from_volume(cloud)
    await cloud.compute.as_("member").post(f"/os-volumes_boot/{server_id}/action", {"os-stop": None}, 202)
    await cloud.settle()
    assert (await cloud.page(server_id))["status"] == "SHUTOFF"
