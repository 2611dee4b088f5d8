"""Quotas of projects, the defaults of all of them, and the limits that a project sees of itself."""

from __future__ import annotations

from typing import Any

from cumulet.core.access.quota import EVERYBODY
from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest, NotFound
from cumulet.core.web.body import OPTIONAL, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Int
from cumulet.services.block_storage.asking import flag
from cumulet.services.block_storage.room import QUOTAS, BlockStorage
from cumulet.services.block_storage.types import quotas

RULE = "volume_extension:quotas:"
CLASSES = "volume_extension:quota_classes:"
DEFAULT_CLASS = "default"
MOST = 2**31 - 1
_FIELDS = [Field(name, Int(-1, MOST), create=OPTIONAL) for name in QUOTAS]
Set = Body("quota_set", _FIELDS, extra=True)
SetClass = Body("quota_class_set", _FIELDS, extra=True)


def _project(call: Call, rule: str) -> str:
    project = call.path["project"]
    if len(project) > 64 or "\x00" in project:
        raise NotFound(f"Project {project[:64]} could not be found.")
    call.allow(rule, {"project_id": project, "tenant_id": project})
    return project


async def _limits(room: BlockStorage, tx: Transaction, project: str) -> dict[str, int]:
    """What a project may hold of each resource, and of each type."""
    counted = await quotas.names(tx)
    found = await room.quota.limits(tx, project, counted.values())
    return {name: found[counted.get(name, name)] for name in (*QUOTAS, *counted)}


async def _usage(room: BlockStorage, tx: Transaction, project: str) -> dict[str, int]:
    counted = await quotas.names(tx)
    found = await room.quota.usage(tx, project, counted.values())
    return {name: found[counted.get(name, name)] for name in (*QUOTAS, *counted)}


async def _set(room: BlockStorage, tx: Transaction, project: str, wish: dict[str, Any]) -> None:
    """Set limits, each a resource or one of a type. Raises BadRequest for what is neither."""
    counted = await quotas.names(tx)
    of_types: dict[str, Any] = wish.get("extra", {})
    for name, limit in of_types.items():
        if name not in counted:
            raise BadRequest(f"Invalid input for field/attribute {name[:300]}: there is no such resource or type.")
        try:
            whole = int(limit) if isinstance(limit, int | str) and not isinstance(limit, bool) else None
        except ValueError:
            whole = None
        if whole is None or not -1 <= whole <= MOST:
            raise BadRequest(f"Invalid input for field/attribute {name[:300]}: give a number from -1 to {MOST}.")
        await room.quota.set_limit(tx, project, counted[name], whole)
    for name, limit in wish.items():
        if name != "extra":
            await room.quota.set_limit(tx, project, name, limit)


async def show(room: BlockStorage, call: Call) -> dict[str, Any]:
    project = _project(call, RULE + "show")
    usage = flag(call, "usage")
    async with room.database.read() as tx:
        limits = await _limits(room, tx, project)
        used = await _usage(room, tx, project) if usage else {}
    if not usage:
        return {"quota_set": {"id": project, **limits}}
    found = {name: {"limit": most, "in_use": used[name], "reserved": 0} for name, most in limits.items()}
    return {"quota_set": {"id": project, **found}}


async def defaults(room: BlockStorage, call: Call) -> dict[str, Any]:
    project = _project(call, RULE + "show")
    async with room.database.read() as tx:
        return {"quota_set": {"id": project, **await _limits(room, tx, EVERYBODY)}}


async def update(room: BlockStorage, call: Call) -> dict[str, Any]:
    project, wish = _project(call, RULE + "update"), call.wish
    if wish == {"extra": {}}:
        raise BadRequest("The quota set is empty: name at least one resource and its limit.")

    async def write(tx: Transaction) -> dict[str, int]:
        await _set(room, tx, project, wish)
        return await _limits(room, tx, project)

    return {"quota_set": await room.database.write(write)}


async def delete(room: BlockStorage, call: Call) -> None:
    """Return to the defaults."""
    project = _project(call, RULE + "delete")

    async def write(tx: Transaction) -> None:
        for name in (*QUOTAS, *(await quotas.names(tx)).values()):
            await room.quota.set_limit(tx, project, name, None)

    await room.database.write(write)


async def show_class(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(CLASSES + "get")
    async with room.database.read() as tx:
        return {"quota_class_set": {"id": call.path["name"], **await _limits(room, tx, EVERYBODY)}}


async def update_class(room: BlockStorage, call: Call) -> dict[str, Any]:
    """The defaults of every project, kept under no project's name. Other classes have nobody in them."""
    call.allow(CLASSES + "update")
    is_default = call.path["name"] == DEFAULT_CLASS

    async def write(tx: Transaction) -> dict[str, int]:
        if is_default:
            await _set(room, tx, EVERYBODY, call.wish)
        return await _limits(room, tx, EVERYBODY)

    return {"quota_class_set": await room.database.write(write)}


async def limits(room: BlockStorage, call: Call) -> dict[str, Any]:
    """What a project may hold, and holds, in one page."""
    project = call.caller.project_id
    if call.may("context_is_admin") and (asked := call.request.one("project_id") or call.request.one("tenant_id")):
        project = asked[:64]
    async with room.database.read() as tx:
        most = await room.quota.limits(tx, project)
        used = await room.quota.usage(tx, project)
    absolute = {
        "maxTotalVolumes": most["volumes"],
        "maxTotalVolumeGigabytes": most["gigabytes"],
        "maxTotalSnapshots": most["snapshots"],
        "maxTotalBackups": most["backups"],
        "maxTotalBackupGigabytes": most["backup_gigabytes"],
    }
    if call.may("limits_extension:used_limits"):
        absolute |= {
            "totalVolumesUsed": used["volumes"],
            "totalGigabytesUsed": used["gigabytes"],
            "totalSnapshotsUsed": used["snapshots"],
            "totalBackupsUsed": used["backups"],
            "totalBackupGigabytesUsed": used["backup_gigabytes"],
        }
    return {"limits": {"rate": [], "absolute": absolute}}


ONE, CLASS = "/os-quota-sets/{project}", "/os-quota-class-sets/{name}"
ROUTES = (
    Endpoint("GET", ONE, show, name="quota_set"),
    Endpoint("PUT", ONE, update, body=Set, name="quota_set_update"),
    Endpoint("DELETE", ONE, delete, 200, name="quota_set_delete"),
    Endpoint("GET", ONE + "/defaults", defaults, name="quota_set_defaults"),
    Endpoint("GET", CLASS, show_class, name="quota_class_set"),
    Endpoint("PUT", CLASS, update_class, body=SetClass, name="quota_class_set_update"),
    Endpoint("GET", "/limits", limits, name="limits"),
)
