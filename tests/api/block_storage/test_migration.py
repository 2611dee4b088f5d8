"""Volumes move to another node, with all that is in them."""

from __future__ import annotations

import pytest

from cumulet.drivers.volume.fake import FakeVolume
from tests.api.block_storage.shop import Shop

pytestmark = pytest.mark.db


def holders(shop: Shop, volume_id: str) -> dict[str, FakeVolume]:
    """The nodes that have a volume."""
    found = {node: world.volumes.get(volume_id) for node, world in shop.nodes.volumes.items()}
    return {node: volume for node, volume in found.items() if volume}


async def volume_at(shop: Shop) -> tuple[str, str, str]:
    """A volume with a snapshot, its node, and the other node."""
    volume = await shop.make(2)
    ((here, real),) = holders(shop, volume).items()
    real.content = "precious"
    await shop.take(volume)
    return volume, here, "two" if here == "one" else "one"


async def migrate(shop: Shop, volume_id: str, host: str, status: int = 202) -> None:
    await shop.client.as_("admin").post(f"/volumes/{volume_id}/action", {"os-migrate_volume": {"host": host}}, status)


async def test_a_volume_moves_with_its_snapshots(shop: Shop) -> None:
    volume, here, there = await volume_at(shop)
    await migrate(shop, volume, f"{there}@local#local")
    page = await shop.see(volume, "admin")
    assert (page["status"], page["migration_status"]) == ("maintenance", "migrating")
    assert page["os-vol-host-attr:host"].startswith(here)
    await shop.client.delete(f"/volumes/{volume}", 400)
    await migrate(shop, volume, there, 400)
    await shop.settle()
    page = await shop.see(volume, "admin")
    assert (page["status"], page["migration_status"]) == ("available", "success")
    assert page["os-vol-host-attr:host"] == f"{there}@local#local"
    assert page["os-vol-mig-status-attr:migstat"] == "success"
    ((node, real),) = holders(shop, volume).items()
    assert (node, real.content, len(real.snapshots)) == (there, "precious", 1)
    await migrate(shop, volume, there, 400)
    # It lives on there: it grows, and comes back.
    await shop.act(volume, "os-extend", {"new_size": 3})
    await migrate(shop, volume, here)
    await shop.settle()
    ((node, real),) = holders(shop, volume).items()
    assert (node, real.size_gib) == (here, 3)


async def test_what_cannot_move_stays(shop: Shop) -> None:
    volume, _, there = await volume_at(shop)
    await migrate(shop, volume, "nowhere", 404)
    await migrate(shop, volume, f"{there}@tape", 404)
    await shop.act(volume, "os-migrate_volume", {}, 400, "admin")
    await shop.act(volume, "os-migrate_volume", {"host": there}, 403)
    server = await shop.make_server()
    attach = {"volumeAttachment": {"volumeId": volume}}
    await shop.compute.post(f"/servers/{server['id']}/os-volume_attachments", attach, 200)
    await shop.settle()
    await migrate(shop, volume, there, 400)
    other = await shop.make(1)
    await shop.act(volume, "os-migrate_volume_completion", {"new_volume": other}, 400, "admin")
    shop.nodes.kill(there)
    await migrate(shop, other, there, 400)


async def test_a_node_that_dies_meanwhile_gets_nothing(shop: Shop) -> None:
    volume, here, there = await volume_at(shop)
    await migrate(shop, volume, there)
    shop.nodes.kill(there)
    await shop.settle()
    page = await shop.see(volume, "admin")
    assert (page["status"], page["migration_status"]) == ("available", "error")
    shop.nodes.revive(there)
    await shop.settle()
    assert list(holders(shop, volume)) == [here]


async def test_nobody_is_let_in_while_it_is_on_its_way(shop: Shop) -> None:
    volume, _, there = await volume_at(shop)
    await migrate(shop, volume, there)
    admin, verb = shop.client.as_("admin"), f"/volumes/{volume}/action"
    refused = await admin.post(verb, {"os-reset_status": {"status": "available"}}, 400)
    assert "migration_status" in refused["badRequest"]["message"]
    assert (await shop.see(volume))["status"] == "maintenance"
    await admin.post(verb, {"os-reset_status": {"status": "available", "migration_status": "none"}}, 202)
    await shop.settle()
    page = await shop.see(volume, "admin")
    assert (page["status"], page["migration_status"]) == ("available", None)


async def test_a_move_that_meets_a_machine_ends(shop: Shop) -> None:
    volume, here, there = await volume_at(shop)
    await migrate(shop, volume, there)
    shop.nodes.volumes[here].open_in[volume] = {"machine"}
    await shop.act(volume, "os-reset_status", {"migration_status": "none"}, persona="admin")
    shop.nodes.volumes[here].open_in.clear()
    await shop.settle()
    page = await shop.see(volume, "admin")
    assert (page["status"], page["migration_status"]) == ("available", None)
    assert list(holders(shop, volume)) == [here]
    await shop.act(volume, "os-reset_status", {"migration_status": "soon"}, 400, "admin")
