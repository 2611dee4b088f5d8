"""The verbs of `POST /servers/{id}/action` that change a running server, one line each where one line is enough."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.core.errors import CloudError, Conflict, NotFound
from cumulet.core.web.body import HIDDEN, OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Anything, Enum, Int, Text
from cumulet.services.compute.errors import InstanceNotReady
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.operations import VERBS, act, check, delete, want, want_reboot
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow, Wanted
from cumulet.services.compute.servers.spec import has_guest_agent
from cumulet.services.compute.servers.store import touch
from cumulet.services.compute.servers.tell import json_of

API = "os_compute_api:"
SERVERS = API + "servers:"


_ADMINISTRATORS = {"windows": "Administrator"}
"""Whose password it is, by the kind of system; elsewhere root's."""


def given(name: str, kind: Any, create: Any = REQUIRED, since: str = "", until: str = "") -> Field:
    return Field(name, kind, create=create, source=HIDDEN, since=since, until=until)


@servers.action("reboot", SERVERS + "reboot", given("type", Enum("SOFT", "HARD", ignore_case=True)))
async def reboot(room: Compute, call: Call, row: ServerRow) -> None:
    hard = call.wish["type"] == "HARD"
    await act(room, call, row, "hard reboot" if hard else "reboot", want_reboot(hard=hard))


@servers.action("os-start", SERVERS + "start", kind=Anything)
async def start(room: Compute, call: Call, row: ServerRow) -> None:
    await act(room, call, row, "start", want(Wanted.RUNNING))


@servers.action("os-stop", SERVERS + "stop", kind=Anything)
async def stop(room: Compute, call: Call, row: ServerRow) -> None:
    await act(room, call, row, "stop", want(Wanted.STOPPED))


@servers.action("pause", API + "os-pause-server:pause", kind=Anything)
async def pause(room: Compute, call: Call, row: ServerRow) -> None:
    await act(room, call, row, "pause", want(Wanted.PAUSED))


@servers.action("unpause", API + "os-pause-server:unpause", kind=Anything)
async def unpause(room: Compute, call: Call, row: ServerRow) -> None:
    await act(room, call, row, "unpause", want(Wanted.RUNNING))


@servers.action("suspend", API + "os-suspend-server:suspend", kind=Anything)
async def suspend(room: Compute, call: Call, row: ServerRow) -> None:
    await act(room, call, row, "suspend", want(Wanted.SUSPENDED))


@servers.action("resume", API + "os-suspend-server:resume", kind=Anything)
async def resume(room: Compute, call: Call, row: ServerRow) -> None:
    await act(room, call, row, "resume", want(Wanted.RUNNING))


@servers.action("forceDelete", API + "os-deferred-delete:force", kind=Anything)
async def force_delete(room: Compute, call: Call, row: ServerRow) -> None:
    await delete(room, call, row, name="force_delete")


@servers.action("restore", API + "os-deferred-delete:restore", kind=Anything)
async def restore(room: Compute, call: Call, row: ServerRow) -> None:
    """Deletes are never deferred here, so that there is never anything to restore: a conflict with its reason."""
    check(call, row, VERBS["restore"])


@servers.action("trigger_crash_dump", SERVERS + "trigger_crash_dump", kind=Anything, since="2.17")
async def trigger_crash_dump(room: Compute, call: Call, row: ServerRow) -> None:
    def alter(found: ServerRow) -> None:
        found.interrupts += 1

    await act(room, call, row, "trigger_crash_dump", alter)


# ---- locks ------------------------------------------------------------------------------------------------------


@servers.action("lock", API + "os-lock-server:lock", kind=Anything, until="2.72")
async def lock(room: Compute, call: Call, row: ServerRow) -> None:
    await lock_as(room, call, row, None)


@servers.action("lock", API + "os-lock-server:lock", since="2.73", kind=Anything)
async def lock_for_a_reason(room: Compute, call: Call, row: ServerRow) -> None:
    body = call.wish["lock"]
    if body is None:
        body = {}
    if not isinstance(body, dict) or set(body) - {"locked_reason"}:
        raise LockReason("Invalid input for field/attribute lock: it takes null, or an object with a locked_reason")
    reason = body.get("locked_reason")
    if reason is not None and (not isinstance(reason, str) or not 1 <= len(reason) <= 255 or "\x00" in reason):
        raise LockReason("Invalid input for field/attribute locked_reason: text of 1 to 255 characters")
    await lock_as(room, call, row, reason)


class LockReason(CloudError):
    status = 400


async def lock_as(room: Compute, call: Call, row: ServerRow, reason: str | None) -> None:
    def alter(found: ServerRow) -> None:
        found.locked, found.locked_reason = True, reason
        found.locked_by = "owner" if call.caller.project_id == found.project_id else "admin"

    await act(room, call, row, "lock", alter)


@servers.action("unlock", API + "os-lock-server:unlock", kind=Anything)
async def unlock(room: Compute, call: Call, row: ServerRow) -> None:
    if row.locked_by == "admin":
        call.allow(API + "os-lock-server:unlock:unlock_override", servers.target(row))

    def alter(found: ServerRow) -> None:
        found.locked, found.locked_by, found.locked_reason = False, "", None

    await act(room, call, row, "unlock", alter)


# ---- the administrator's ----------------------------------------------------------------------------------------


@servers.action("os-resetState", API + "os-admin-actions:reset_state", given("state", Enum("active", "error")))
async def reset_state(room: Compute, call: Call, row: ServerRow) -> None:
    def alter(found: ServerRow) -> None:
        if call.wish["state"] == "error":
            found.faulted, found.fault = found.generation, ""
        else:
            found.faulted = 0
            found.launched_at = found.launched_at or room.clock.now()

    await act(room, call, row, "reset_state", alter)


@servers.action("injectNetworkInfo", API + "os-admin-actions:inject_network_info", kind=Anything, until="2.97")
async def inject_network_info(room: Compute, call: Call, row: ServerRow) -> None:
    """A machine's order always says all of its network; the reconciler looks whether it is in force."""
    room.bus.wake("server", row.id)


@servers.action("resetNetwork", API + "os-admin-actions:inject_network_info", kind=Anything, until="2.97")
async def reset_network(room: Compute, call: Call, row: ServerRow) -> None:
    room.bus.wake("server", row.id)


# ---- security groups, passwords, consoles -----------------------------------------------------------------------

Group = given("name", Text(255, 1))


@servers.action("addSecurityGroup", API + "os-security-groups:add", Group)
async def add_security_group(room: Compute, call: Call, row: ServerRow) -> None:
    name = call.wish["name"]
    check(call, row, VERBS["add security group"])
    owner = Caller(user_id="", project_id=row.project_id)
    await room.networks.check(owner, "none", [name])
    await set_groups(
        room, call, row, lambda groups: groups if name in groups else [*groups, name], "add security group"
    )


@servers.action("removeSecurityGroup", API + "os-security-groups:remove", Group)
async def remove_security_group(room: Compute, call: Call, row: ServerRow) -> None:
    name = call.wish["name"]
    shown = {group["name"] for group in msgspec.json.decode(row.security_groups)}
    if name not in shown and name not in msgspec.json.decode(row.groups):
        raise NotFound(f"Security group {name} is not associated with instance {row.id}.")
    await set_groups(
        room, call, row, lambda groups: [group for group in groups if group != name], "remove security group"
    )


async def set_groups(room: Compute, call: Call, row: ServerRow, change: Any, verb: str) -> None:
    def alter(found: ServerRow) -> None:
        found.groups = json_of(change(msgspec.json.decode(found.groups)))
        touch(found, room.clock.now())

    stored = await act(room, call, row, verb, alter)
    for nic in await room.networks.nics(stored.id):
        await room.networks.set_groups(nic.port_id, change(list(nic.groups)))
    room.bus.wake("server", row.id)


@servers.action("changePassword", API + "os-admin-password", given("adminPass", Text(255)))
async def change_password(room: Compute, call: Call, row: ServerRow) -> None:
    check(call, row, VERBS["changePassword"])
    properties: dict[str, Any] = msgspec.json.decode(row.image)
    if not has_guest_agent(properties):
        raise Conflict(
            f"Failed to set admin password on {row.id}: its image does not say that an agent of QEMU runs in the guest "
            "(hw_qemu_guest_agent=yes). Log in with the key pair and change it there."
        )
    user = properties.get("os_admin_user") or _ADMINISTRATORS.get(str(properties.get("os_type")).lower(), "root")
    try:
        await room.fleet.ask(
            row.host, "set_password", {"password": call.wish["adminPass"]}, machine=row.id, user=str(user)
        )
    except Conflict as error:
        raise Conflict(f"Failed to set admin password on {row.id}: {error.message}.") from error
    await act(room, call, row, "changePassword", lambda _: None)


@servers.action(
    "os-getConsoleOutput", API + "os-console-output", given("length", Int(-1).or_null(), OPTIONAL), status=200
)
async def console_output(room: Compute, call: Call, row: ServerRow) -> dict[str, str]:
    if not row.host:
        raise InstanceNotReady(f"Instance {row.id} is not ready")
    lines = call.wish.get("length")
    text = (await room.fleet.ask(row.host, "console_log", machine=row.id)).decode("utf-8", "replace")
    if lines is not None and lines >= 0:
        # What follows the last line break counts as a line, even where nothing does: clients count this way.
        text = "\n".join(text.split("\n")[-lines:]) if lines else ""
    # A guest may print anything; what clients cannot show goes.
    clean = "".join(c for c in text if c in "\n\t\r" or c.isprintable())
    return {"output": clean}
