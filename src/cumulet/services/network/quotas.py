"""Quotas: what each project may hold, and holds."""

from __future__ import annotations

from typing import Any

from cumulet.core.access.quota import QuotaRow
from cumulet.core.db import Transaction
from cumulet.core.errors import NotFound
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.lib.numbers import whole_or_none
from cumulet.services.network.attributes import read_one
from cumulet.services.network.errors import HTTPBadRequest, InvalidInput
from cumulet.services.network.facets import Facet
from cumulet.services.network.room import Network


class TenantQuotaNotFound(NotFound):
    pass


QUOTAS = Facet("quotas", "Quotas")
DETAILS = Facet("quota_details", "Quotas with what is used")
CHECKED = Facet("quota-check-limit-default", "A quota below what is used is refused unless forced")
MOST = 2**31 - 1


def _target(project_id: str) -> dict[str, object]:
    return {"project_id": project_id, "tenant_id": project_id}


async def _index(room: Network, call: Call) -> dict[str, Any]:
    """The projects whose limits somebody set."""
    call.allow("get_quota", _target(""))
    async with room.database.read() as tx:
        rows = await tx.find(QuotaRow, room=room.quota.room)
        projects = sorted({row.project_id for row in rows if row.allowed is not None})
        return {
            "quotas": [
                {**await room.quota.limits(tx, project), "project_id": project, "tenant_id": project}
                for project in projects
            ]
        }


async def _show(room: Network, call: Call) -> dict[str, Any]:
    project = call.path["project_id"]
    if project in ("tenant", "project"):
        return {project: {"tenant_id": call.caller.project_id, "project_id": call.caller.project_id}}
    _allow_sight(call, project)
    async with room.database.read() as tx:
        return {"quota": await room.quota.limits(tx, project)}


def _allow_sight(call: Call, project: str) -> None:
    """A project may see its own limits, an administrator everybody's."""
    if project != call.caller.project_id:
        call.allow("get_quota", _target(project))


async def _defaults(room: Network, call: Call) -> dict[str, Any]:
    _allow_sight(call, call.path["project_id"])
    return {"quota": dict(room.quota.defaults)}


async def _details(room: Network, call: Call) -> dict[str, Any]:
    project = call.path["project_id"]
    _allow_sight(call, project)
    async with room.database.read() as tx:
        limits, used = await room.quota.limits(tx, project), await room.quota.usage(tx, project)
    return {
        "quota": {name: {"limit": limit, "used": used.get(name, 0), "reserved": 0} for name, limit in limits.items()}
    }


async def _update(room: Network, call: Call) -> dict[str, Any]:
    project = call.path["project_id"]
    given = read_one(await call.request.body(1 << 16), "quota")
    given.pop("project_id", None)
    force = given.pop("force", None)
    given.pop("check_limit", None)  # what older clients ask for is the rule now
    call.allow("update_quota", _target(project))
    limits = {name: _limit(room, name, value) for name, value in given.items()}

    async def write(tx: Transaction) -> dict[str, int]:
        used = await room.quota.usage(tx, project)
        for name, limit in limits.items():
            if force is not True and 0 <= limit < used.get(name, 0):
                raise InvalidInput(
                    f"Quota limit for {name} cannot be set to {limit}: {used[name]} are in use. Remove some first, or "
                    f"use force.",
                    type_name="InvalidQuotaValue",
                )
            await room.quota.set_limit(tx, project, name, limit)
        return await room.quota.limits(tx, project)

    return {"quota": await room.database.write(write)}


def _limit(room: Network, name: str, value: Any) -> int:
    if name not in room.quota.defaults:
        raise HTTPBadRequest(f"Unrecognized attribute(s) '{name[:60]}'")
    text = "" if isinstance(value, bool | float) else str(value)
    limit = -1 if text == "-1" else whole_or_none(text)
    if limit is None or limit > MOST:
        raise HTTPBadRequest(
            f"Invalid input for {name}. Reason: '{str(value)[:40]}' is not an integer of -1 (any number) or more."
        )
    return limit


async def _delete(room: Network, call: Call) -> None:
    project = call.path["project_id"]
    call.allow("delete_quota", _target(project))

    async def write(tx: Transaction) -> None:
        rows = await tx.find(QuotaRow, room=room.quota.room, project_id=project)
        if not any(row.allowed is not None for row in rows):
            raise TenantQuotaNotFound(f"Quota for tenant {project[:64]} could not be found.")
        for row in rows:
            await room.quota.set_limit(tx, project, row.resource, None)

    await room.database.write(write)


def endpoints() -> list[Endpoint]:
    item = "/quotas/{project_id}"
    return [
        Endpoint("GET", "/quotas", _index, name="list_quotas"),
        Endpoint("GET", item, _show, name="show_quota"),
        Endpoint("PUT", item, _update, raw=True, name="update_quota"),
        Endpoint("DELETE", item, _delete, 204, name="delete_quota"),
        Endpoint("GET", item + "/default", _defaults, name="default_quota"),
        Endpoint("GET", item + "/details", _details, name="quota_details"),
        Endpoint("GET", item + "/details.json", _details, name="quota_details_json"),
    ]
