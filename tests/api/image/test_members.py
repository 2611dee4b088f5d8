"""Sharing an image with another project, who may accept or reject it."""

from __future__ import annotations

import pytest

from tests.api.image.making import active, patch, queued
from tests.support.client import Client
from tests.support.personas import ALT, DEMO

pytestmark = pytest.mark.db


async def listed(image: Client, query: str = "") -> list[str]:
    return [found["id"] for found in (await image.get(f"/images{query}"))["images"]]


async def test_an_image_is_shared_accepted_used_and_taken_back(image: Client) -> None:
    image_id = (await active(image))["id"]
    path, friend = f"/images/{image_id}", image.as_("stranger")
    await friend.get(path, 404)
    made = await image.post(f"{path}/members", {"member": ALT}, 200)
    assert (made["member_id"], made["image_id"], made["status"]) == (ALT, image_id, "pending")
    assert made["schema"] == "/v2/schemas/member"
    await image.post(f"{path}/members", {"member": ALT}, 409)
    await friend.get(path)
    assert await listed(friend) == []
    assert await listed(friend, "?member_status=pending") == [image_id]
    await friend.put(f"{path}/members/{ALT}", {"status": "accepted"})
    assert await listed(friend) == [image_id]
    assert await listed(friend, "?visibility=shared&member_status=all") == [image_id]
    await friend.get(f"{path}/file")
    await friend.put(f"{path}/members/{ALT}", {"status": "rejected"})
    assert await listed(friend) == []
    await friend.get(path)
    await image.delete(f"{path}/members/{ALT}")
    await image.delete(f"{path}/members/{ALT}", 404)
    await friend.get(path, 404)


async def test_only_the_member_decides_and_only_the_owner_shares(image: Client) -> None:
    path = f"/images/{(await queued(image))['id']}"
    friend = image.as_("stranger")
    await image.post(f"{path}/members", {"member": ALT}, 200)
    await image.post(f"{path}/members", {"member": "c" * 32}, 200)
    await image.put(f"{path}/members/{ALT}", {"status": "accepted"}, 403)
    await friend.put(f"{path}/members/{ALT}", {"status": "wonderful"}, 400)
    await friend.post(f"{path}/members", {"member": "e" * 32}, 403)
    await friend.delete(f"{path}/members/{ALT}", 403)
    await friend.get(f"{path}/members/{'c' * 32}", 404)
    assert [member["member_id"] for member in (await friend.get(f"{path}/members"))["members"]] == [ALT]
    assert len((await image.get(f"{path}/members"))["members"]) == 2
    assert (await image.as_("reader").get(f"{path}/members/{ALT}"))["status"] == "pending"
    await image.as_("reader").post(f"{path}/members", {"member": "e" * 32}, 403)
    await friend.patch(path, [], 403, headers={"content-type": "application/openstack-images-v2.1-json-patch"})
    await friend.delete(path, 403)


async def test_only_shared_images_have_members(image: Client) -> None:
    image_id = (await queued(image, visibility="private"))["id"]
    await image.post(f"/images/{image_id}/members", {"member": ALT}, 403)
    await image.get(f"/images/{image_id}/members", 403)
    await patch(image, image_id, {"op": "replace", "path": "/visibility", "value": "shared"})
    for bad in ({}, {"member": ""}, {"member": 5}, {"member": ALT, "status": "accepted"}):
        await image.post(f"/images/{image_id}/members", bad, 400)
    await image.as_("stranger").get(f"/images/{image_id}/members", 404)


async def test_who_sees_which_image_in_lists(image: Client) -> None:
    admin, stranger = image.as_("admin"), image.as_("stranger")
    private = (await queued(image, visibility="private"))["id"]
    community = (await queued(image, visibility="community"))["id"]
    public = (await queued(admin, visibility="public"))["id"]
    hidden = (await queued(image, os_hidden=True))["id"]
    assert set(await listed(image)) == {private, community, public}
    assert set(await listed(image, "?os_hidden=true")) == {hidden}
    assert await listed(stranger) == [public]
    assert await listed(stranger, "?visibility=community") == [community]
    assert set(await listed(stranger, "?visibility=all")) == {community, public}
    assert await listed(stranger, f"?owner={DEMO}") == []
    assert set(await listed(admin)) == {private, public}
    assert set(await listed(admin, "?visibility=all")) == {private, community, public}
    await stranger.get(f"/images/{community}")
    await stranger.get(f"/images/{private}", 404)
    await stranger.delete(f"/images/{community}", 403)
    await stranger.delete(f"/images/{public}", 403)
    await stranger.delete(f"/images/{private}", 404)
