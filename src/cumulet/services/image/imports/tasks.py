"""Tasks: work that goes on after the answer, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Json, LongText, Ref, Row, Short, Transaction, stored
from cumulet.core.errors import MethodNotAllowed
from cumulet.core.web.body import REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing, ask
from cumulet.core.web.resource import Owner, Resource
from cumulet.core.web.view import or_null, raw, written
from cumulet.core.web.wire import AnyObject, Text
from cumulet.lib.clock import SECOND, iso_seconds
from cumulet.lib.ids import new_uuid
from cumulet.services.image.errors import TaskNotFound
from cumulet.services.image.images.sight import find
from cumulet.services.image.room import Image

TOPIC = "image_task"
KEPT_SECONDS = 48 * 3600
"""How long a task that has ended may still be asked for."""

IMPORT, API_IMPORT, LOCATION_IMPORT = "import", "api_image_import", "location_import"
UNFINISHED = ("pending", "processing")


@stored(
    "image_tasks",
    sa.Index("image_tasks_status", "status", "id"),
    sa.Index("image_tasks_image", "image_id"),
    sa.Index("image_tasks_expires", "expires_at"),
)
class TaskRow(Row):
    """One import."""

    id: Id
    type: Short
    status: Short
    owner: Ref
    user_id: Ref
    request_id: Short
    image_id: Ref
    input: Json
    created_at: Instant
    updated_at: Instant
    result: Json = "null"
    message: LongText = ""
    expires_at: Instant = 0
    attempts: Annotated[int, sa.Integer] = 0
    """How often it was begun: a task that takes its process down with it is not begun for ever."""


def new_task(room: Image, call: Call, kind: str, image_id: str, given: Any) -> TaskRow:
    now = room.clock.now()
    return TaskRow(
        new_uuid(),
        kind,
        "pending",
        call.caller.project_id,
        call.caller.user_id,
        call.request.request_id,
        image_id,
        msgspec.json.encode(given).decode(),
        now,
        now,
    )


async def store(tx: Transaction, row: TaskRow) -> None:
    await tx.insert(row)
    tx.wake(TOPIC, row.id)


async def note_begun(room: Image, row: TaskRow) -> None:
    """Record that the work begins, once more perhaps."""
    now = room.clock.now()
    row.status, row.attempts, row.updated_at = "processing", row.attempts + 1, now
    where = {"id": row.id}
    await room.database.write(
        lambda tx: tx.update(TaskRow, where, status=row.status, attempts=row.attempts, updated_at=now)
    )


async def note_ended(room: Image, row: TaskRow, *, message: str = "", failed: bool = False) -> None:
    """Record what became of it."""
    now = room.clock.now()
    values: dict[str, Any] = {
        "status": "failure" if failed else "success",
        "message": message,
        "result": "null" if failed else msgspec.json.encode({"image_id": row.image_id}).decode(),
        "updated_at": now,
        "expires_at": now + KEPT_SECONDS * SECOND,
    }
    await room.database.write(lambda tx: tx.update(TaskRow, {"id": row.id}, **values))


# ---- on the wire -----------------------------------------------------------------------------------------------------

_BRIEF = (
    Field("id", Text(), brief=True),
    Field("type", Text(64), create=REQUIRED, brief=True),
    Field("status", Text(), brief=True),
    Field("owner", Text(), source=or_null("owner"), brief=True),
    Field("user_id", Text(), brief=True),
    Field("request_id", Text(), brief=True),
    Field("image_id", Text(), brief=True),
    Field("created_at", Text(), source=written("created_at", iso_seconds), brief=True),
    Field("updated_at", Text(), source=written("updated_at", iso_seconds), brief=True),
    Field("expires_at", Text(), source=written("expires_at", iso_seconds), brief=True),
    Field("self", Text(), source=lambda row, call: f"/v2/tasks/{row.id}", brief=True),
    Field("schema", Text(), source=lambda row, call: "/v2/schemas/task", brief=True),
)
FIELDS = (
    *_BRIEF,
    Field("input", AnyObject, create=REQUIRED, source=raw("input")),
    Field("result", AnyObject, source=raw("result")),
    Field("message", Text()),
)

tasks = Resource(
    path="/tasks",
    one="task",
    many="tasks",
    row=TaskRow,
    fields=FIELDS,
    owner=Owner.NOBODY,
    wrapped=False,
    missing=TaskNotFound,
    target=lambda row: {"project_id": row.owner},
    listing=Listing(
        filters=[Filter("type"), Filter("status"), Filter("owner")],
        sorts={name: name for name in ("id", "type", "status", "created_at", "updated_at", "expires_at")},
    ),
)


@tasks.list("tasks_api_access")
async def index(room: Image, call: Call) -> dict[str, Any]:
    call.allow("get_tasks")
    question = ask(tasks.listing, TaskRow, call)
    async with room.database.read() as tx:
        rows, more = await tasks.lister.page(tx, question, "id")
    render = tasks.view.render(call, brief=True)
    marker = rows[-1].id if more else ""
    shown = [render(row, call) for row in rows]
    return call.dialect.page("tasks", shown, url="/v2/tasks", query=call.request.query, marker=marker)


@tasks.show("tasks_api_access")
async def show(room: Image, call: Call, row: TaskRow) -> TaskRow:
    call.allow("get_task")
    return row


@tasks.delete("tasks_api_access")
async def delete(room: Image, call: Call, row: TaskRow) -> None:
    raise MethodNotAllowed(
        "This operation is not permitted on tasks: they go away by themselves at expires_at.", headers={"Allow": "GET"}
    )


async def of_image(room: Image, call: Call) -> dict[str, Any]:
    row = await find(room, call)
    async with room.database.read() as tx:
        found = await tx.find(TaskRow, order_by="created_at", limit=100, image_id=row.id)
    render = tasks.view.render(call)
    return {"tasks": [render(task, call) for task in found]}
