"""Volumes whose bytes are encrypted, each with a key of its own."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.services.block_storage.volumes import keys
from cumulet.services.block_storage.volumes.keys import KeyRow
from tests.api.block_storage.shop import Shop

pytestmark = pytest.mark.db
LUKS = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}


async def secret_type(shop: Shop, name: str = "secret", **wish: Any) -> str:
    """A type with encryption; its id."""
    admin = shop.client.as_("admin")
    made = (await admin.post("/types", {"volume_type": {"name": name}}, 200))["volume_type"]
    await admin.post(f"/types/{made['id']}/encryption", {"encryption": LUKS | wish}, 200)
    return str(made["id"])


async def all_keys(shop: Shop) -> dict[str, str]:
    """What is kept of keys."""
    async with shop.volume_room.database.read() as tx:
        return {row.id: row.sealed for row in await tx.find(KeyRow)}


async def test_a_volume_has_a_key_that_its_node_alone_is_told(shop: Shop) -> None:
    await secret_type(shop)
    volume = await shop.make(1, volume_type="secret")
    page = await shop.see(volume)
    assert (page["status"], page["encrypted"]) == ("available", True)
    shown = await shop.client.get(f"/volumes/{volume}/encryption")
    assert shown == {**LUKS, "encryption_key_id": shown["encryption_key_id"]}
    assert await shop.client.get(f"/volumes/{volume}/encryption/cipher") == {"cipher": "aes-xts-plain64"}
    await shop.client.get(f"/volumes/{volume}/encryption/secret", 404)

    real = shop.real(volume)
    assert real is not None
    assert len(real.key) == 64
    kept = await all_keys(shop)
    assert list(kept) == [shown["encryption_key_id"]]
    assert real.key not in str(kept)
    assert real.key == await keys.of_volume(shop.volume_room, volume)
    assert not [spec for spec in shop.nodes.specs.values() if real.key in str(spec)]

    await shop.client.delete(f"/volumes/{volume}", 202)
    await shop.settle()
    assert await all_keys(shop) == {}


async def test_it_lives_as_any_other(shop: Shop) -> None:
    await secret_type(shop)
    volume = await shop.make(1, volume_type="secret")
    snapshot = await shop.take(volume)
    await shop.act(volume, "os-extend", {"new_size": 2})
    await shop.act(volume, "os-extend", {"new_size": 3})
    copies = [await shop.make(3, source_volid=volume), await shop.make(1, snapshot_id=snapshot)]
    for copy in copies:
        page = await shop.see(copy)
        assert (page["status"], page["encrypted"], page["volume_type"]) == ("available", True, "secret")
    found = [shop.real(one) for one in (volume, *copies)]
    assert len({one.key for one in found if one}) == 3
    server = await shop.make_server()
    attach = {"volumeAttachment": {"volumeId": volume}}
    await shop.compute.post(f"/servers/{server['id']}/os-volume_attachments", attach, 200)
    await shop.settle()
    assert await shop.status(volume) == "in-use"


async def test_its_content_does_not_leave_it_in_the_open(shop: Shop) -> None:
    await secret_type(shop)
    volume = await shop.make(1, volume_type="secret")
    plain = await shop.make(1)
    await shop.act(volume, "os-volume_upload_image", {"image_name": "x"}, 400)
    await shop.client.post("/backups", {"backup": {"volume_id": volume}}, 400)
    await shop.client.post("/volume-transfers", {"transfer": {"volume_id": volume}}, 400)
    wish = {"size": 1, "source_volid": volume, "volume_type": "__DEFAULT__"}
    await shop.client.post("/volumes", {"volume": wish}, 400)
    await shop.act(volume, "os-retype", {"new_type": "__DEFAULT__"}, 400)
    await shop.act(plain, "os-retype", {"new_type": "secret"}, 400)
    assert await shop.status(volume) == "available"
    assert len(await all_keys(shop)) == 1


@pytest.mark.parametrize(
    "wish",
    [{"provider": "rot13"}, {"control_location": "back-end"}, {"cipher": "des"}, {"key_size": 128}],
)
async def test_what_no_node_can_do_is_refused_by_name(shop: Shop, wish: dict[str, Any]) -> None:
    await secret_type(shop, **wish)
    refusal = await shop.client.post("/volumes", {"volume": {"size": 1, "volume_type": "secret"}}, 400)
    assert "the type secret asks for" in refusal["badRequest"]["message"]
    assert await all_keys(shop) == {}
    assert await shop.used() == {}


async def test_a_type_that_says_little(shop: Shop) -> None:
    await secret_type(shop, cipher=None, key_size=None)
    volume = await shop.make(1, volume_type="secret")
    shown = await shop.client.get(f"/volumes/{volume}/encryption")
    assert (shown["cipher"], shown["key_size"]) == ("aes-xts-plain64", 512)


async def test_an_open_volume_says_so(shop: Shop) -> None:
    volume = await shop.make(1)
    assert (await shop.see(volume))["encrypted"] is False
    assert await shop.client.get(f"/volumes/{volume}/encryption") == {"encryption_key_id": None}
