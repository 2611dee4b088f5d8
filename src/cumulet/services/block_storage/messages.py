"""Messages: why something that was asked for did not come about, in words that its owner can act on."""

from __future__ import annotations

import enum

import sqlalchemy as sa

from cumulet.core.db import Id, Instant, LongText, Ref, Row, Short, Transaction, stored
from cumulet.core.web.body import Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Filter, Listing
from cumulet.core.web.resource import Listed, Resource
from cumulet.core.web.view import written
from cumulet.core.web.wire import Anything, Text, Uuid
from cumulet.lib.clock import iso_micros
from cumulet.lib.ids import new_uuid, request_id
from cumulet.services.block_storage.asking import page_of
from cumulet.services.block_storage.errors import MessageNotFound
from cumulet.services.block_storage.room import BlockStorage

RULE = "message:"
SINCE = "3.3"
_ASKED = ("event_id", "message_level", "request_id", "resource_type", "resource_uuid")
KEPT_MICROSECONDS = 30 * 24 * 3600 * 1_000_000
"""How long a message stays at least."""


class Action(enum.Enum):
    """What did not come about: the number that clients know, and its words."""

    SCHEDULE = ("001", "schedule allocate volume")
    CREATE_FROM_IMAGE = ("005", "copy image to volume")
    EXTEND = ("007", "extend volume")
    CREATE_VOLUME = ("008", "create volume from backend storage")
    SNAPSHOT_CREATE = ("009", "create snapshot")
    BACKUP_CREATE = ("013", "create backup")
    BACKUP_RESTORE = ("015", "restore backup")
    REIMAGE = ("016", "reimage volume")
    REVERT = ("017", "revert volume to snapshot")
    MIGRATE = ("018", "migrate volume")


@stored(
    "block_storage_messages",
    sa.Index("block_storage_messages_project", "project_id", "created_at"),
)
class MessageRow(Row):
    """One message of a project."""

    id: Id
    project_id: Ref
    resource_type: Short
    resource_uuid: Ref
    event_id: Short
    user_message: LongText
    message_level: Short
    request_id: Short
    created_at: Instant
    guaranteed_until: Instant


async def note(
    room: BlockStorage, tx: Transaction, project_id: str, kind: str, key: str, action: Action, reason: str
) -> None:
    """Tell a project why what it asked of this resource failed."""
    number, words = action.value
    now = room.clock.now()
    await tx.insert(
        MessageRow(
            id=new_uuid(),
            project_id=project_id,
            resource_type=kind,
            resource_uuid=key,
            event_id=f"VOLUME_{kind}_{number}_001",
            user_message=f"{words}:{reason}",
            message_level="ERROR",
            request_id=request_id(),
            created_at=now,
            guaranteed_until=now + KEPT_MICROSECONDS,
        )
    )


def _links(row: MessageRow, call: Call) -> list[dict[str, str]]:
    return [
        {"rel": "self", "href": f"{call.base}/messages/{row.id}"},
        {"rel": "bookmark", "href": f"{call.base.rpartition('/v3')[0]}/messages/{row.id}"},
    ]


messages = Resource(
    path="/messages",
    one="message",
    many="messages",
    row=MessageRow,
    missing=MessageNotFound,
    fields=[
        Field("id", Uuid),
        Field("event_id", Text()),
        Field("user_message", Text()),
        Field("message_level", Text()),
        Field("resource_type", Text()),
        Field("resource_uuid", Text()),
        Field("request_id", Text()),
        Field("created_at", Text(), source=written("created_at", iso_micros)),
        Field("guaranteed_until", Text(), source=written("guaranteed_until", iso_micros)),
        Field("links", Anything, source=_links),
    ],
    listing=Listing(
        filters=[Filter(name, since="3.5") for name in _ASKED],
        sorts={
            name: name
            for name in (
                "id",
                "event_id",
                "message_level",
                "request_id",
                "resource_type",
                "resource_uuid",
                "created_at",
            )
        },
        page_since="3.5",
    ),
)


@messages.list(RULE + "get_all", since=SINCE)
async def index(room: BlockStorage, call: Call) -> Listed:
    return await page_of(room, call, messages, MessageRow, brief=False, counted=False)


@messages.show(RULE + "get", since=SINCE)
async def show(room: BlockStorage, call: Call, row: MessageRow) -> MessageRow:
    return row


@messages.delete(RULE + "delete", since=SINCE)
async def delete(room: BlockStorage, call: Call, row: MessageRow) -> None:
    await room.database.write(lambda tx: tx.delete(MessageRow, id=row.id))
