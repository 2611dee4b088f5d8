"""Instance actions: what was asked of a server, by whom, and how it ended."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import Fault
from cumulet.core.db import PRIMARY, BigInt, Instant, Json, LongText, Ref, Row, Short, Transaction, stored
from cumulet.core.web.call import Call
from cumulet.lib.ids import new_uuid, request_id
from cumulet.services.compute.servers.row import ServerRow

MOST_OPEN = 100
ONE_SHOTS = frozenset({"createImage", "createBackup"})
"""Actions that end by themselves, not with the wish they began under."""


@stored(
    "compute_instance_actions",
    sa.Index("compute_instance_actions_server", "server_id", "started_at"),
    sa.Index("compute_instance_actions_request", "server_id", "request_id"),
)
class ActionRow(Row):
    """One action. It is open until the wish it belongs to was met or failed."""

    id: Annotated[str, sa.String(36), PRIMARY]
    server_id: Ref
    action: Short
    request_id: Short
    user_id: Ref
    project_id: Ref
    generation: BigInt
    open: bool
    started_at: Instant
    updated_at: Instant
    message: LongText | None
    events: Json


class Event(msgspec.Struct, omit_defaults=True):
    """A part of an action."""

    event: str
    start: int
    finish: int = 0
    result: str = ""
    host: str = ""
    details: str = ""
    """Why it failed, in words for the server's owner."""
    traceback: str = ""
    """The same for administrators, as far as there is more to say."""


_events = msgspec.json.Decoder(list[Event])


def events_of(row: ActionRow) -> list[Event]:
    return _events.decode(row.events)


UNMET = "The wish could not be met."
EVENTS = {
    "create": "compute__do_build_and_run_instance",
    "delete": "compute_terminate_instance",
    "reboot": "compute_reboot_instance",
    "stop": "compute_stop_instance",
    "start": "compute_start_instance",
    "rebuild": "compute_rebuild_instance",
    "resize": "compute_prep_resize",
    "confirmResize": "compute_confirm_resize",
    "revertResize": "compute_revert_resize",
    "live-migration": "compute_live_migration",
    "migrate": "compute_prep_resize",
    "evacuate": "compute_rebuild_instance",
    "createImage": "compute_snapshot_instance",
    "createBackup": "compute_backup_instance",
    "shelve": "compute_shelve_instance",
    "unshelve": "compute_unshelve_instance",
    "attach_volume": "compute_attach_volume",
    "detach_volume": "compute_detach_volume",
    "extend_volume": "compute_extend_volume",
    "swap_volume": "compute_swap_volume",
    "attach_interface": "compute_attach_interface",
    "detach_interface": "compute_detach_interface",
    "changePassword": "compute_set_admin_password",
}


async def record(
    tx: Transaction, call: Call, server_id: str, action: str, *, generation: int, now: int, host: str = ""
) -> str:
    """Write down an action that begins now."""
    event = Event(EVENTS.get(action, f"compute_{action}_instance"), now, host=host)
    row = ActionRow(
        id=new_uuid(),
        server_id=server_id,
        action=action,
        request_id=call.request.request_id,
        user_id=call.caller.user_id,
        project_id=call.caller.project_id,
        generation=generation,
        open=True,
        started_at=now,
        updated_at=now,
        message=None,
        events=msgspec.json.encode([event]).decode(),
    )
    await tx.insert(row)
    return row.id


async def record_ended(tx: Transaction, server: ServerRow, action: str, now: int) -> None:
    """Write down what happened to a server by another service's doing, and is over."""
    event = Event(EVENTS[action], now, finish=now, result="Success", host=server.host)
    row = ActionRow(
        id=new_uuid(),
        server_id=server.id,
        action=action,
        request_id=request_id(),
        user_id=server.user_id,
        project_id=server.project_id,
        generation=server.generation,
        open=False,
        started_at=now,
        updated_at=now,
        message=None,
        events=msgspec.json.encode([event]).decode(),
    )
    await tx.insert(row)


async def finish(tx: Transaction, row: ActionRow, now: int, *, error: str = "", traceback: str = "") -> None:
    """Close an action."""
    events = events_of(row)
    for event in events:
        if not event.finish:
            event.finish = now
            event.result = "Error" if error else "Success"
            event.details, event.traceback = error, traceback
    await tx.update(
        ActionRow,
        {"id": row.id},
        open=False,
        updated_at=now,
        message="Error" if error else None,
        events=msgspec.json.encode(events).decode(),
    )


async def note_settled(
    tx: Transaction, server_id: str, generation: int, now: int, *, fault: Fault | None = None
) -> None:
    """Close the actions of every wish up to this one, which was met or ended in this fault."""
    why, more = (fault.message or UNMET, fault.details) if fault else ("", "")
    for row in await tx.find(ActionRow, server_id=server_id, open=True, limit=MOST_OPEN):
        if row.generation <= generation and row.action not in ONE_SHOTS:
            await finish(tx, row, now, error=why, traceback=more)


async def finish_action(tx: Transaction, server_id: str, action: str, now: int, *, error: str = "") -> None:
    """Close the open actions of this name."""
    for row in await tx.find(ActionRow, server_id=server_id, action=action, open=True, limit=MOST_OPEN):
        await finish(tx, row, now, error=error)


def closed(row: ActionRow) -> dict[str, Any]:
    """What lists and pages show of an action beside its events."""
    return {
        "action": row.action,
        "instance_uuid": row.server_id,
        "request_id": row.request_id,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "message": row.message,
    }
