"""The image service's own client: everything it can do with images, over the running cloud."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import glanceclient
import pytest
from glanceclient import exc
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from tests.support.image_web import FILES
from tests.support.patience import HANG_SECONDS
from tests.support.running_cloud import RunningCloud

RAW = b"The bytes of an image. " * 3000


@pytest.fixture(scope="module")
def glance(cloud: RunningCloud) -> Any:
    login = Password(
        f"{cloud.url}/identity/v3",
        username="admin",
        password=cloud.password,
        project_name="admin",
        user_domain_name="Default",
        project_domain_name="Default",
    )
    return glanceclient.Client("2", session=Session(login))


@pytest.fixture
def image(glance: Any) -> Iterator[Any]:
    made = glance.images.create(name="from glanceclient", disk_format="raw", container_format="bare", colour="blue")
    yield made
    try:
        glance.images.delete(made.id)
    except exc.HTTPNotFound:
        return


def until(seen: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + HANG_SECONDS
    while not (found := seen()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def active(glance: Any, image_id: str) -> Any:
    def seen() -> Any:
        shown = glance.images.get(image_id)
        assert not shown.get("os_glance_failed_import")
        return shown if shown.status == "active" and not shown.get("os_glance_importing_to_stores") else None

    return until(seen)


def content(glance: Any, image_id: str, **more: Any) -> bytes:
    return b"".join(glance.images.data(image_id, **more))


def test_an_image_is_made_found_changed_and_deleted(glance: Any, image: Any) -> None:
    assert (image.status, image.colour, image.locations) == ("queued", "blue", [])
    assert image.id in {found.id for found in glance.images.list(filters={"colour": "blue"})}
    changed = glance.images.update(image.id, remove_props=["colour"], name="renamed", min_ram=64, shape="round")
    assert (changed.name, changed.min_ram, changed.shape, changed.get("colour")) == ("renamed", 64, "round", None)
    hidden = glance.images.update(image.id, os_hidden=True)
    assert hidden.os_hidden
    assert image.id in {found.id for found in glance.images.list(filters={"os_hidden": True})}
    glance.images.delete(image.id)
    with pytest.raises(exc.HTTPNotFound):
        glance.images.get(image.id)


def test_data_is_uploaded_verified_and_withheld(glance: Any, image: Any) -> None:
    glance.images.upload(image.id, io.BytesIO(RAW), image_size=len(RAW))
    shown = glance.images.get(image.id)
    assert (shown.status, shown.size, shown.stores) == ("active", len(RAW), "fast")
    assert content(glance, image.id) == RAW  # the client compares digests
    assert content(glance, image.id, prefer=["reliable"]) == RAW
    glance.images.deactivate(image.id)
    assert glance.images.get(image.id).status == "deactivated"
    glance.images.reactivate(image.id)


def test_a_store_is_chosen(glance: Any, image: Any) -> None:
    glance.images.upload(image.id, io.BytesIO(RAW), backend="reliable")
    assert glance.images.get(image.id).stores == "reliable"


def test_data_is_staged_and_imported_everywhere(glance: Any, image: Any) -> None:
    glance.images.stage(image.id, io.BytesIO(RAW))
    assert glance.images.get(image.id).status == "uploading"
    glance.images.image_import(image.id, method="glance-direct", all_stores=True)
    assert active(glance, image.id).stores == "fast,reliable"
    [task] = glance.images.get_associated_image_tasks(image.id)["tasks"]
    assert (task["type"], task["status"]) == ("api_image_import", "success")
    glance.images.delete_from_store("fast", image.id)
    assert glance.images.get(image.id).stores == "reliable"
    assert content(glance, image.id) == RAW


def test_an_image_is_imported_from_the_web_copied_and_taken_over(cloud: RunningCloud, glance: Any, image: Any) -> None:
    glance.images.image_import(image.id, method="web-download", uri=cloud.web.url("/disk.raw"))
    assert active(glance, image.id).stores == "fast"
    glance.images.image_import(image.id, method="copy-image", stores=["reliable"])
    assert until(lambda: glance.images.get(image.id).stores == "fast,reliable")
    other = glance.images.create(name="taken over", disk_format="iso", container_format="bare")
    glance.images.image_import(other.id, method="glance-download", remote_region="RegionOne", remote_image_id=image.id)
    assert active(glance, other.id).disk_format == "raw"
    assert content(glance, other.id) == FILES["/disk.raw"]
    glance.images.delete(other.id)


def test_locations_are_patched(cloud: RunningCloud, glance: Any, image: Any) -> None:
    url = cloud.web.url("/disk.raw")
    glance.images.add_location(image.id, url, {"shelf": "1"})
    glance.images.add_location(image.id, f"{url}#second", {})
    glance.images.update_location(image.id, url, {"shelf": "2"})
    shown = glance.images.get(image.id)
    assert [one["metadata"] for one in shown.locations] == [{"shelf": "2", "store": "web"}, {"store": "web"}]
    glance.images.delete_locations(image.id, {url})
    shown = glance.images.get(image.id)
    assert ([one["url"] for one in shown.locations], shown.status, shown.direct_url) == (
        [f"{url}#second"],
        "active",
        f"{url}#second",
    )
    assert content(glance, image.id) == FILES["/disk.raw"]


def test_a_location_makes_an_image(cloud: RunningCloud, glance: Any, image: Any) -> None:
    glance.images.add_image_location(image.id, cloud.web.url("/disk.raw"))
    until(lambda: glance.images.get(image.id).checksum)
    [location] = glance.images.get_image_locations(image.id)
    assert location["url"] == cloud.web.url("/disk.raw")


def test_members_and_tags(glance: Any, image: Any) -> None:
    member = glance.image_members.create(image.id, "0" * 32)
    assert member.status == "pending"
    assert glance.image_members.update(image.id, "0" * 32, "accepted").status == "accepted"
    assert [found.member_id for found in glance.image_members.list(image.id)] == ["0" * 32]
    assert glance.image_members.get(image.id, "0" * 32).image_id == image.id
    glance.image_members.delete(image.id, "0" * 32)
    glance.image_tags.update(image.id, "fine")
    assert glance.images.get(image.id).tags == ["fine"]
    glance.image_tags.delete(image.id, "fine")
    assert glance.images.get(image.id).tags == []


def test_a_task_makes_an_image(cloud: RunningCloud, glance: Any) -> None:
    task = glance.tasks.create(
        type="import",
        input={
            "import_from": cloud.web.url("/disk.qcow2"),
            "import_from_format": "qcow2",
            "image_properties": {"name": "by a task", "disk_format": "qcow2", "container_format": "bare"},
        },
    )
    assert until(lambda: glance.tasks.get(task.id).status == "success")
    assert task.id in {found.id for found in glance.tasks.list()}
    made = glance.tasks.get(task.id).result["image_id"]
    assert active(glance, made).disk_format == "raw"  # this cloud converts what it imports
    glance.images.delete(made)


def test_metadata_definitions(glance: Any) -> None:
    name = "Test::Shelves"
    made = glance.metadefs_namespace.create(namespace=name, display_name="Shelves", visibility="public")
    assert made.namespace == name
    glance.metadefs_namespace.update(name, description="Where things stand", display_name="Shelves")
    assert glance.metadefs_namespace.get(name).description == "Where things stand"
    glance.metadefs_property.create(name, name="height", title="Height", type="integer")
    assert glance.metadefs_property.get(name, "height").title == "Height"
    glance.metadefs_object.create(name, name="board", description="One of them")
    assert [found.name for found in glance.metadefs_object.list(name)] == ["board"]
    glance.metadefs_tag.create(name, "oak")
    assert [found.name for found in glance.metadefs_tag.list(name)] == ["oak"]
    glance.metadefs_resource_type.associate(name, name="OS::Glance::Image")
    assert [found.name for found in glance.metadefs_resource_type.get(name)] == ["OS::Glance::Image"]
    glance.metadefs_resource_type.deassociate(name, "OS::Glance::Image")
    glance.metadefs_property.delete(name, "height")
    glance.metadefs_object.delete(name, "board")
    glance.metadefs_tag.delete(name, "oak")
    glance.metadefs_namespace.delete(name)
    assert name not in {found.namespace for found in glance.metadefs_namespace.list()}


def test_what_the_service_tells_of_itself(glance: Any) -> None:
    stores = glance.images.get_stores_info()["stores"]
    assert [store["id"] for store in stores] == ["fast", "reliable", "web"]
    assert stores[2]["read-only"] == "true"
    detailed = glance.images.get_stores_info_detail()["stores"]
    assert [(store["type"], store["weight"]) for store in detailed] == [("file", 200), ("file", 100), ("http", 0)]
    assert "web-download" in glance.images.get_import_info()["import-methods"]["value"]
    assert "image_size_total" in glance.info.get_usage()
    assert set(glance.schemas.get("image").raw()["properties"]) >= {"locations", "stores"}


def test_the_cache(glance: Any, image: Any) -> None:
    glance.images.upload(image.id, io.BytesIO(RAW))
    glance.cache.queue(image.id)

    def cached() -> set[str]:
        return {entry["image_id"] for entry in glance.cache.list()["cached_images"]}

    assert until(lambda: image.id in cached())
    [node] = glance.cache.list_cached_nodes(image.id)
    assert node.startswith("http://")
    assert content(glance, image.id) == RAW
    assert glance.cache.prune()["total_files_pruned"] == 0
    glance.cache.clean()
    glance.cache.delete(image.id)
    glance.cache.queue(image.id)
    glance.cache.clear("queue")
    glance.cache.clear("both")
    assert glance.cache.list()["queued_images"] == []
