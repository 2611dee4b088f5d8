"""Quotas of projects, the defaults of all of them, and the limits that a project sees of itself."""

from __future__ import annotations

from typing import Any

from cumulet.core.access.quota import EVERYBODY
from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.versions import version, window
from cumulet.core.web.wire import Bool, Int
from cumulet.services.compute.room import QUOTAS, Compute

RULE = "os_compute_api:os-quota-sets:"
CLASSES = "os_compute_api:os-quota-class-sets:"
DEFAULT_CLASS = "default"

WINDOWS = {
    # Where a quota is no longer shown or taken. The network's own have moved to network.
    "fixed_ips": "2.35", "floating_ips": "2.35", "security_groups": "2.35", "security_group_rules": "2.35",
    "injected_files": "2.56", "injected_file_content_bytes": "2.56", "injected_file_path_bytes": "2.56",
}  # fmt: skip
MOVED = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
COUNTED = ("instances", "cores", "ram", "server_groups")


def names_at(number: int) -> list[str]:
    return [name for name in QUOTAS if number in window("", WINDOWS.get(name, ""))]


def shown(call: Call, limits: dict[str, int]) -> dict[str, int]:
    return {name: limits.get(name, -1) for name in names_at(call.version)}


def _fields(windows: dict[str, str]) -> list[Field]:
    limit = Int(-1, 2**31 - 1)
    return [Field(name, limit, create=OPTIONAL, until=windows.get(name, "")) for name in QUOTAS]


Set = Body("quota_set", [*_fields(WINDOWS), Field("force", Bool, create=OPTIONAL)])
SetClass = Body("quota_class_set", _fields(WINDOWS | dict.fromkeys(MOVED, "2.49")))


async def limits_of(room: Compute, project_id: str) -> dict[str, int]:
    await room.quota.learn(project_id)
    async with room.database.read() as tx:
        return await room.quota.limits(tx, project_id)


async def _project(room: Compute, call: Call) -> str:
    """The project in the path. From an administrator who mistyped it, refuse what does not exist."""
    return call.path["project_id"]


def _target(project_id: str) -> dict[str, object]:
    return {"project_id": project_id, "tenant_id": project_id}


async def show(room: Compute, call: Call) -> dict[str, Any]:
    project_id = await _project(room, call)
    call.allow(RULE + "show", _target(project_id))
    return {"quota_set": {"id": project_id, **shown(call, await limits_of(room, project_id))}}


async def detail(room: Compute, call: Call) -> dict[str, Any]:
    project_id = await _project(room, call)
    call.allow(RULE + "detail", _target(project_id))
    await room.quota.learn(project_id)
    async with room.database.read() as tx:
        limits = await room.quota.limits(tx, project_id)
        used = await room.quota.usage(tx, project_id)
    found = {
        name: {"limit": limits.get(name, -1), "in_use": used.get(name, 0) if name in COUNTED else 0, "reserved": 0}
        for name in names_at(call.version)
    }
    return {"quota_set": {"id": project_id, **found}}


async def defaults(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "defaults")
    return {"quota_set": {"id": call.path["project_id"], **shown(call, await limits_of(room, EVERYBODY))}}


async def update(room: Compute, call: Call) -> dict[str, Any]:
    project_id = await _project(room, call)
    call.allow(RULE + "update", _target(project_id))
    if not await room.identity.project_exists(project_id):
        raise BadRequest(f"Project ID {project_id[:64]} is not a valid project.")
    wish = {name: value for name, value in call.wish.items() if name in QUOTAS}
    force = call.wish.get("force", False)

    async def write(tx: Transaction) -> None:
        used = await room.quota.usage(tx, project_id)
        for name, limit in wish.items():
            if not force and 0 <= limit < used.get(name, 0) and name in COUNTED:
                raise BadRequest(
                    f"Quota limit {limit} for {name} must be greater than or equal to already used and reserved "
                    f"{used[name]}."
                )
            await room.quota.set_limit(tx, project_id, name, limit)

    await room.database.write(write)
    return {"quota_set": shown(call, await limits_of(room, project_id))}


async def delete(room: Compute, call: Call) -> None:
    """Return to the defaults."""
    project_id = await _project(room, call)
    call.allow(RULE + "delete", _target(project_id))

    async def write(tx: Transaction) -> None:
        for name in QUOTAS:
            await room.quota.set_limit(tx, project_id, name, None)

    await room.database.write(write)


# ---- classes ----------------------------------------------------------------------------------------------------


async def show_class(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(CLASSES + "show")
    named = call.path["quota_class"]
    return {"quota_class_set": {"id": named, **_class_shown(call, await limits_of(room, EVERYBODY))}}


def _class_shown(call: Call, limits: dict[str, int]) -> dict[str, int]:
    """The moved ones are taken and shown until 2.49 here, longer than for projects."""
    hidden = version("2.50")
    found = shown(call, limits)
    if version("2.36") <= call.version < hidden:
        found |= {name: limits[name] for name in MOVED}
        for name in ("server_groups", "server_group_members"):
            found.pop(name, None)
    elif call.version < hidden:
        for name in ("server_groups", "server_group_members"):
            found.pop(name, None)
    return found


async def update_class(room: Compute, call: Call) -> dict[str, Any]:
    """The defaults of every project, kept under no project's name."""
    call.allow(CLASSES + "update")
    named = call.path["quota_class"]
    wish = {name: value for name, value in call.wish.items() if name in QUOTAS}
    if named == DEFAULT_CLASS:

        async def write(tx: Transaction) -> None:
            for name, limit in wish.items():
                await room.quota.set_limit(tx, EVERYBODY, name, limit)

        await room.database.write(write)
    return {"quota_class_set": _class_shown(call, await limits_of(room, EVERYBODY))}


# ---- limits -----------------------------------------------------------------------------------------------------


async def limits(room: Compute, call: Call) -> dict[str, Any]:
    """What a project may hold, and holds, in one page."""
    call.allow("os_compute_api:limits")
    project_id = call.caller.project_id
    asked = call.request.one("tenant_id") or call.request.one("project_id")
    if asked and asked != project_id:
        call.allow("os_compute_api:limits:other_project")
        project_id = asked
    await room.quota.learn(project_id)
    async with room.database.read() as tx:
        most = await room.quota.limits(tx, project_id)
        used = await room.quota.usage(tx, project_id)
    absolute = {
        "maxTotalInstances": most["instances"],
        "maxTotalCores": most["cores"],
        "maxTotalRAMSize": most["ram"],
        "maxServerMeta": most["metadata_items"],
        "maxTotalKeypairs": most["key_pairs"],
        "maxServerGroups": most["server_groups"],
        "maxServerGroupMembers": most["server_group_members"],
        "totalInstancesUsed": used["instances"],
        "totalCoresUsed": used["cores"],
        "totalRAMUsed": used["ram"],
        "totalServerGroupsUsed": used["server_groups"],
    }
    if call.version < version("2.57"):
        absolute |= {
            "maxPersonality": most["injected_files"],
            "maxPersonalitySize": most["injected_file_content_bytes"],
        }
    if call.version < version("2.39"):
        absolute["maxImageMeta"] = most["metadata_items"]
    if call.version < version("2.36"):
        absolute |= {"maxTotalFloatingIps": -1, "maxSecurityGroups": -1, "maxSecurityGroupRules": -1}
        absolute |= {"totalFloatingIpsUsed": 0, "totalSecurityGroupsUsed": 0}
    return {"limits": {"rate": [], "absolute": absolute}}


ONE, CLASS = "/os-quota-sets/{project_id}", "/os-quota-class-sets/{quota_class}"
ROUTES = (
    Endpoint("GET", ONE, show, name="quota_set"),
    Endpoint("PUT", ONE, update, body=Set, name="quota_set_update"),
    Endpoint("DELETE", ONE, delete, 202, name="quota_set_delete"),
    Endpoint("GET", ONE + "/detail", detail, name="quota_set_detail"),
    Endpoint("GET", ONE + "/defaults", defaults, name="quota_set_defaults"),
    Endpoint("GET", CLASS, show_class, name="quota_class_set"),
    Endpoint("PUT", CLASS, update_class, body=SetClass, name="quota_class_set_update"),
    Endpoint("GET", "/limits", limits, name="limits"),
)
