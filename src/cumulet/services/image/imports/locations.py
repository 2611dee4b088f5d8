"""Locations: where an image's bytes are, for services that fetch them themselves; and images made from a place.

No store here reads from the web, so a location given by a client is a source: its bytes are copied into the default
store, and the image stands on those.
"""

from __future__ import annotations

import re
from typing import Any

from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import AnyObject, Obj, Text
from cumulet.services.image.errors import InvalidImport
from cumulet.services.image.images import operations
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.images.sight import find, target
from cumulet.services.image.imports import progress, tasks, web
from cumulet.services.image.imports.methods import WEB_DOWNLOAD, ImportRequest, Method, check_image
from cumulet.services.image.imports.reconciler import Order
from cumulet.services.image.imports.tasks import LOCATION_IMPORT, new_task
from cumulet.services.image.room import Image

_SHA512, _MD5 = re.compile(r"[0-9a-f]{128}\Z"), re.compile(r"[0-9a-f]{32}\Z")

_GIVEN = Body(
    "",
    [
        Field("url", Text(255, 1), create=REQUIRED),
        Field("metadata", AnyObject, create=OPTIONAL),
        Field(
            "validation_data",
            Obj(
                Field("os_hash_algo", Text(64), create=REQUIRED),
                Field("os_hash_value", Text(128), create=REQUIRED),
                Field("checksum", Text(32), create=OPTIONAL),
            ).or_null(),
            create=OPTIONAL,
        ),
    ],
)


async def show(room: Image, call: Call) -> list[dict[str, Any]]:
    row = await find(room, call, "get_image")
    call.allow("fetch_image_location", target(row, call.caller))
    return [{"url": f"{name}://{row.data_key}", "metadata": {"store": name}} for name in row.store_list]


async def add(room: Image, call: Call) -> dict[str, Any]:
    url = call.wish["url"]
    sha512, md5 = expected(call.wish.get("validation_data") or {})
    row = await find(room, call, "get_image")
    call.allow("add_image_location", target(row, call.caller))
    web.read_uri(url, room.outside)
    request, stores = ImportRequest(Method(WEB_DOWNLOAD, uri=url)), [room.default_store]
    order = Order(row.id, request, stores, expected_sha512=sha512, expected_md5=md5)
    task = new_task(room, call, LOCATION_IMPORT, row.id, order)

    def begin(row: ImageRow) -> ImageRow:
        check_image(request, row, stores)
        return progress.begin(row, WEB_DOWNLOAD, stores)

    await operations.change(room, row.id, begin, beside=lambda tx, row: tasks.store(tx, task))
    return {"url": url, "metadata": call.wish.get("metadata", {})}


def expected(given: dict[str, Any]) -> tuple[str, str]:
    """The digests that the bytes must have; empty where the client names none. Raises InvalidImport."""
    if not given:
        return "", ""
    if given["os_hash_algo"] != "sha512":
        raise InvalidImport("os_hash_algo: images are known by their sha512 here; give that.")
    if not _SHA512.match(given["os_hash_value"]):
        raise InvalidImport("os_hash_value: not the hexadecimal digits of a sha512")
    checksum = given.get("checksum", "")
    if checksum and not _MD5.match(checksum):
        raise InvalidImport("checksum: not the hexadecimal digits of an MD5")
    return given["os_hash_value"], checksum


def endpoints() -> list[Endpoint]:
    return [
        Endpoint("GET", "/images/{image_id}/locations", show),
        Endpoint("POST", "/images/{image_id}/locations", add, 202, body=_GIVEN),
    ]
