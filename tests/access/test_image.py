"""Persona by verb: what each may do with images that are his project's, public, offered, shared with him, or hidden."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.core.access.caller import Caller
from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.web.service import FrontDoor
from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.lib.clock import SystemClock
from cumulet.services.image.policies import DEFAULTS
from cumulet.services.image.room import Image
from cumulet.services.image.service import service
from tests.support.client import Client
from tests.support.personas import ALT, authenticate, persona

OCTETS = {"content-type": "application/octet-stream"}
PATCH = {"content-type": "application/openstack-images-v2.1-json-patch"}
RENAME = [{"op": "replace", "path": "/name", "value": "new"}]
PUBLISH = [{"op": "replace", "path": "/visibility", "value": "public"}]
OFFER = [{"op": "replace", "path": "/visibility", "value": "community"}]
ANYBODY = ("admin", "manager", "member", "reader", "stranger", "nobody", "service")

VERBS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "show": ("GET", "", {}),
    "rename": ("PATCH", "", {"json": RENAME, "headers": PATCH}),
    "publish": ("PATCH", "", {"json": PUBLISH, "headers": PATCH}),
    "offer": ("PATCH", "", {"json": OFFER, "headers": PATCH}),
    "delete": ("DELETE", "", {}),
    "upload": ("PUT", "/file", {"content": b"x", "headers": OCTETS}),
    "download": ("GET", "/file", {}),
    "stage": ("PUT", "/stage", {"content": b"x", "headers": OCTETS}),
    "tag": ("PUT", "/tags/x", {}),
    "untag": ("DELETE", "/tags/old", {}),
    "deactivate": ("POST", "/actions/deactivate", {}),
    "import": ("POST", "/import", {"json": {"method": {"name": "web-download", "uri": "https://example.org/"}}}),
    "tasks": ("GET", "/tasks", {}),
}

# verb: the statuses for admin, manager, member, reader, stranger, nobody, service
OWN_PRIVATE = {
    "show": (200, 200, 200, 200, 404, 403, 404),
    "rename": (200, 200, 200, 403, 404, 403, 404),
    "publish": (200, 403, 403, 403, 404, 403, 404),
    "offer": (200, 200, 200, 403, 404, 403, 404),
    "delete": (204, 204, 204, 403, 404, 403, 404),
    "upload": (204, 204, 204, 403, 404, 403, 404),
    "download": (204, 204, 204, 403, 404, 403, 404),
    "stage": (204, 204, 204, 403, 404, 403, 404),
    "tag": (204, 204, 204, 403, 404, 403, 404),
    "untag": (204, 204, 204, 403, 404, 403, 404),
    "deactivate": (403, 403, 403, 403, 404, 403, 404),
    "import": (202, 202, 202, 403, 404, 403, 404),
    "tasks": (200, 200, 200, 200, 404, 403, 404),
}
SEEN_ONLY = {
    "show": (200, 200, 200, 200, 200, 403, 403),
    "rename": (200, 200, 200, 403, 403, 403, 403),
    "delete": (204, 204, 204, 403, 403, 403, 403),
    "upload": (204, 204, 204, 403, 403, 403, 403),
    "download": (204, 204, 204, 403, 204, 403, 403),
    "stage": (204, 204, 204, 403, 403, 403, 403),
    "tag": (204, 204, 204, 403, 403, 403, 403),
    "import": (202, 202, 202, 403, 403, 403, 403),
    "tasks": (200, 200, 200, 200, 200, 403, 403),
}
SHARED = {verb: (*statuses[:6], 404) for verb, statuses in SEEN_ONLY.items()}

CASES = [
    *(("private", verb, statuses) for verb, statuses in OWN_PRIVATE.items()),
    *(("public", verb, statuses) for verb, statuses in SEEN_ONLY.items()),
    *(("community", verb, statuses) for verb, statuses in SEEN_ONLY.items()),
    *(("shared", verb, statuses) for verb, statuses in SHARED.items()),
]


@pytest.fixture
def image(database: Database, bus: MemoryBus) -> Client:
    room = Image(
        database=database,
        bus=bus,
        clock=SystemClock(),
        rules=Rules(DEFAULTS),
        stores={"memory": MemoryImageStore(Shelf())},
        staging=MemoryImageStore(Shelf()),
    )
    return Client(FrontDoor(service(), room, authenticate))


async def made(image: Client, visibility: str) -> str:
    """An image of the members' project, and shared with the stranger where that is its visibility."""
    wish = {"name": "x", "disk_format": "raw", "container_format": "bare", "tags": ["old"]}
    first = "private" if visibility == "public" else visibility
    found = await image.post("/images", {**wish, "visibility": first})
    path = f"/images/{found['id']}"
    if visibility == "public":
        await image.as_("admin").patch(path, PUBLISH, headers=PATCH)
    if visibility == "shared":
        await image.post(f"{path}/members", {"member": ALT}, 200)
    return path


@pytest.mark.parametrize(("visibility", "verb", "statuses"), CASES)
async def test_what_each_may_do(image: Client, visibility: str, verb: str, statuses: tuple[int, ...]) -> None:
    method, suffix, options = VERBS[verb]
    got = []
    for who in ANYBODY:
        path = await made(image, visibility)
        got.append((await image.as_(who)(method, path + suffix, **options)).status_code)
    assert dict(zip(ANYBODY, got, strict=True)) == dict(zip(ANYBODY, statuses, strict=True))


@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [
        ("GET", "/images", None, (200, 200, 200, 200, 200, 403, 403)),
        ("POST", "/images", {}, (201, 201, 201, 403, 201, 403, 403)),
        ("POST", "/images", {"visibility": "public"}, (201, 403, 403, 403, 403, 403, 403)),
        ("POST", "/images", {"visibility": "community"}, (201, 201, 201, 403, 201, 403, 403)),
        ("POST", "/images", {"owner": "f" * 32}, (201, 403, 403, 403, 403, 403, 403)),
        ("GET", "/tasks", None, (200, 403, 403, 403, 403, 403, 403)),
        ("GET", "/info/stores", None, (200, 200, 200, 200, 200, 200, 200)),
        ("GET", "/info/stores/detail", None, (200, 403, 403, 403, 403, 403, 200)),
        ("GET", "/metadefs/namespaces", None, (200, 200, 200, 200, 200, 403, 403)),
        ("POST", "/metadefs/namespaces", {"namespace": "n"}, (201, 403, 403, 403, 403, 403, 403)),
        ("GET", "/metadefs/resource_types", None, (200, 200, 200, 200, 200, 403, 403)),
    ],
)
async def test_what_each_may_ask_of_the_service(
    image: Client, method: str, path: str, body: Any, statuses: tuple[int, ...]
) -> None:
    got = [(await image.as_(who)(method, path, body)).status_code for who in ANYBODY]
    assert dict(zip(ANYBODY, got, strict=True)) == dict(zip(ANYBODY, statuses, strict=True))


@pytest.mark.parametrize(
    ("verb", "statuses"),
    [("accept", (200, 403, 403, 403, 200, 403, 404)), ("remove", (204, 204, 204, 403, 403, 403, 404))],
)
async def test_what_each_may_do_with_a_member(image: Client, verb: str, statuses: tuple[int, ...]) -> None:
    got = []
    for who in ANYBODY:
        path = f"{await made(image, 'shared')}/members/{ALT}"
        method, body = ("PUT", {"status": "accepted"}) if verb == "accept" else ("DELETE", None)
        got.append((await image.as_(who)(method, path, body)).status_code)
    assert dict(zip(ANYBODY, got, strict=True)) == dict(zip(ANYBODY, statuses, strict=True))


async def test_a_token_for_the_whole_system_has_nothing_to_do_with_images(image: Client) -> None:
    path = await made(image, "public")
    operator = persona("operator", "", "admin", "member", "reader", system=True)

    async def as_operator(token: str, service_token: str = "") -> Caller:
        return operator

    client = Client(FrontDoor(service(), image.door.room, as_operator))
    await client.get("/images", 403)
    await client.post("/images", {}, 403)
    for verb in VERBS:
        method, suffix, options = VERBS[verb]
        assert (await client(method, path + suffix, **options)).status_code == 404, verb
    await client.get("/schemas/image", 200)
