"""Asking for imports: of an image that is there, or by an administrator's task that makes one."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import UNREADABLE
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.lib.ids import new_uuid
from cumulet.services.image.errors import InvalidImport
from cumulet.services.image.images import operations
from cumulet.services.image.images.data import refuse_if_full
from cumulet.services.image.images.fields import checked, refuse_reserved, with_field, with_properties
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.images.sight import find, target
from cumulet.services.image.imports import progress, tasks, web
from cumulet.services.image.imports.methods import (
    COPY_IMAGE,
    WEB_DOWNLOAD,
    ImportRequest,
    Method,
    check_image,
    check_method,
    chosen_stores,
)
from cumulet.services.image.imports.order import Order
from cumulet.services.image.imports.tasks import API_IMPORT, IMPORT, TaskRow, new_task
from cumulet.services.image.room import Image


async def ask_import(room: Image, call: Call) -> None:
    raw = await call.request.body(112 * 1024)
    try:
        request = msgspec.json.decode(raw, type=ImportRequest)
    except UNREADABLE as error:
        raise BadRequest(f"The import request is not understood: {error}") from error
    method = request.method
    row = await find(room, call, "get_image" if method.name == COPY_IMAGE else "modify_image")
    if method.name == COPY_IMAGE:
        call.allow("copy_image", target(row, call.caller))
    check_method(method)
    if method.name == WEB_DOWNLOAD:
        web.check(method.uri, room.outside)
    named = call.request.headers.get("x-image-meta-store", "")
    stores = chosen_stores(request, named, list(room.stores), room.web_store)
    await refuse_if_full(room, row.id, "image_size_total")
    task = new_task(room, call, API_IMPORT, row.id, Order(row.id, request, stores))

    def begin(row: ImageRow) -> ImageRow:
        check_image(request, row, stores)
        new = [store for store in stores if store not in row.store_list] if method.name == COPY_IMAGE else stores
        return progress.begin(row, method.name, new)

    await operations.change(room, row.id, begin, beside=lambda tx, row: tasks.store(tx, task))


@tasks.tasks.create("tasks_api_access")
async def create_task(room: Image, call: Call) -> TaskRow:
    """An administrator's import: the image is made here too, and filled from the web."""
    call.allow("add_task")
    given = call.wish["input"]
    if call.wish["type"] != IMPORT:
        raise InvalidImport(f"type: tasks of type {call.wish['type']!r} cannot be made; use {IMPORT}.")
    for name in ("import_from", "import_from_format", "image_properties"):
        if name not in given:
            raise InvalidImport(f"Input does not contain '{name}' field")
    uri, properties = given["import_from"], given["image_properties"]
    if not isinstance(uri, str) or not isinstance(properties, dict):
        raise InvalidImport("import_from must be a text and image_properties an object.")
    web.check(uri, room.outside)
    image = _image_of(room, call, properties)
    stores = [room.default_store]
    order = Order(image.id, ImportRequest(Method(WEB_DOWNLOAD, uri=uri)), stores)
    task = new_task(room, call, IMPORT, image.id, given | msgspec.to_builtins(order))

    async def beside(tx: Transaction, row: ImageRow) -> None:
        await tasks.store(tx, task)

    await operations.create(room, progress.begin(image, WEB_DOWNLOAD, stores), beside=beside)
    return task


def _image_of(room: Image, call: Call, given: dict[str, Any]) -> ImageRow:
    """The image that a task makes. Raises InvalidImage, ReadOnly."""
    now = room.clock.now()
    row = ImageRow(new_uuid(), call.caller.project_id, "queued", "shared", now, now, named=False)
    fields, properties = progress.image_fields(given)
    for name in properties:
        refuse_reserved(name)
    for name, value in fields.items():
        row = with_field(row, name, checked(name, value))
    if not (row.disk_format and row.container_format):
        raise InvalidImport("image_properties need a disk_format and a container_format.")
    return with_properties(row, properties)  # type: ignore[arg-type]  # values are checked there


def endpoints() -> list[Endpoint]:
    return [
        Endpoint("POST", "/images/{image_id}/import", ask_import, 202, raw=True),
        Endpoint("GET", "/images/{image_id}/tasks", tasks.of_image),
    ]
