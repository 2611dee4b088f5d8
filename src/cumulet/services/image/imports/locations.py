"""Locations on the wire: asking web servers about new ones, images made from one, and the list that services read.

Where the cloud has a store that reads from web servers, an image made from a place lies there and is only read; where
it has none, the bytes are copied into the default store, and the image stands on those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import AnyObject, Text
from cumulet.services.image.errors import DataTooLarge, DownloadFailed, InvalidImage, InvalidImport
from cumulet.services.image.images import operations
from cumulet.services.image.images.locations import (
    MOST_LOCATIONS,
    Claim,
    Given,
    Location,
    Surroundings,
    check_claim,
    locations,
    new_urls,
    places,
    read_given,
)
from cumulet.services.image.images.operations import Beside
from cumulet.services.image.images.row import ImageRow, in_json
from cumulet.services.image.images.sight import find, target
from cumulet.services.image.imports import progress, tasks, web
from cumulet.services.image.imports.methods import WEB_DOWNLOAD, ImportRequest, Method, check_image
from cumulet.services.image.imports.order import Order
from cumulet.services.image.imports.tasks import LOCATION_IMPORT, TaskRow, new_task
from cumulet.services.image.room import Image

LOOK_SECONDS = 40
"""How long a patch waits for all the web servers that it names."""

_GIVEN = Body(
    "",
    [
        Field("url", Text(255, 1), create=REQUIRED),
        Field("metadata", AnyObject, create=OPTIONAL),
        Field("validation_data", AnyObject.or_null(), create=OPTIONAL),
    ],
)


async def show(room: Image, call: Call) -> list[Location]:
    row = await find(room, call, "get_image")
    call.allow("fetch_image_location", target(row, call.caller))
    return locations(row, room.weight)


async def add(room: Image, call: Call) -> dict[str, Any]:
    given = read_given({**call.wish, "validation_data": call.wish.get("validation_data") or None})
    claim = given.validation_data or Claim()
    if given.validation_data is not None:
        check_claim(claim)
    row = await find(room, call, "get_image")
    call.allow("add_image_location", target(row, call.caller))
    web.check(given.url, room.outside)
    request = ImportRequest(Method(WEB_DOWNLOAD, uri=given.url))
    stores = [room.web_store or room.default_store]
    task = _task(room, call, row, request, stores, claim, imports=True)

    def begin(row: ImageRow) -> ImageRow:
        check_image(request, row, stores)
        begun = progress.begin(row, WEB_DOWNLOAD, stores)
        return _lies_at(begun, given, room.web_store) if room.web_store else begun

    await operations.change(room, row.id, begin, beside=lambda tx, row: tasks.store(tx, task))
    return {"url": given.url, "metadata": given.metadata}


def _lies_at(row: ImageRow, given: Given, store: str) -> ImageRow:
    return replace(row, locations=in_json([Location(given.url, {**given.metadata, "store": store})]))


async def look(room: Image, row: ImageRow, given: Sequence[Any]) -> Surroundings:
    """What must be known to patch the list of an image. Raises InvalidImage, DownloadFailed, DataTooLarge."""
    urls = new_urls([one.url for one in locations(row, room.weight)], given)
    if not urls:
        return Surroundings(store=room.web_store, weight=room.weight)
    if not room.web_store:
        raise InvalidImage("This cloud has no store that reads from web servers, so locations cannot be added.")
    if len(urls) > MOST_LOCATIONS:
        raise InvalidImage(f"An image has at most {MOST_LOCATIONS} locations.")
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            sizes = {url: await web.size(url, room.outside) for url in urls}
    except InvalidImport as refused:
        raise InvalidImage(str(refused)) from refused
    except TimeoutError as silence:
        raise DownloadFailed(f"The web servers did not tell within {LOOK_SECONDS} s what lies there.") from silence
    if max(sizes.values()) > room.largest:
        raise DataTooLarge(f"Image exceeds the storage limit: at most {room.largest} bytes are kept.")
    return Surroundings(store=room.web_store, weight=room.weight, sizes=sizes)


def reading(room: Image, call: Call, before: ImageRow) -> Beside:
    """An image that got its data by a patch is read through once, so that nodes can verify what they fetch."""

    async def beside(tx: Transaction, after: ImageRow) -> None:
        if before.has_data or not after.has_data:
            return
        request = ImportRequest(Method(WEB_DOWNLOAD, uri=places(after)[0].url))
        await tasks.store(tx, _task(room, call, after, request, [room.web_store], Claim(), imports=False))

    return beside


def _task(
    room: Image, call: Call, row: ImageRow, request: ImportRequest, stores: list[str], claim: Claim, *, imports: bool
) -> TaskRow:
    order = Order(
        row.id,
        request,
        stores,
        hash_algo=claim.os_hash_algo,
        hash_value=claim.os_hash_value,
        checksum=claim.checksum or "",
        only_reads=bool(room.web_store),
        tells=imports,
    )
    return new_task(room, call, LOCATION_IMPORT, row.id, msgspec.to_builtins(order))


def endpoints() -> list[Endpoint]:
    return [
        Endpoint("GET", "/images/{image_id}/locations", show),
        Endpoint("POST", "/images/{image_id}/locations", add, 202, body=_GIVEN),
    ]
