"""The first rows: a domain, an administrator, the roles of the default rules, and the catalogue.

It may run at every start: what is there stays as it is, but the addresses of the services follow the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cumulet.core.db import Transaction
from cumulet.lib.ids import new_hex
from cumulet.services.identity.assignments.row import ALL, PROJECT, SYSTEM, USER, AssignmentRow
from cumulet.services.identity.catalog.rows import EndpointRow, RegionRow, ServiceRow
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.roles.row import ImpliedRoleRow, RoleRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.row import UserRow

DEFAULT = "default"
LADDER = ("admin", "manager", "member", "reader")
"""Each of these roles implies the next."""
INTERFACES = ("public", "internal", "admin")


@dataclass(frozen=True)
class Offered:
    """What the catalogue must know of a service."""

    type: str
    name: str
    path: str
    prefix: str
    catalog_project: bool = False
    """The URL ends in the project id,"""
    project_word: str = ""
    """with this before it: `AUTH_`."""
    description: str = ""


async def bootstrap(
    room: Identity,
    *,
    admin_password: str,
    region: str,
    base_url: str,
    services: Sequence[Offered],
    demo_password: str = "",
) -> dict[str, str]:
    """Make what is missing; the projects' ids by name. The demo user's password is the administrator's unless given."""
    admin_hash = await room.hasher.hash(admin_password)
    demo_hash = await room.hasher.hash(demo_password or admin_password)

    async def write(tx: Transaction) -> dict[str, str]:
        now = room.clock.now()
        await _domain(tx, now)
        projects = {name: await _project(tx, name, now) for name in ("admin", "demo", "service")}
        roles = {name: await _role(tx, name, now) for name in (*LADDER, "service")}
        for prior, implied in pairwise(LADDER):
            if not await tx.get(ImpliedRoleRow, prior_id=roles[prior], implied_id=roles[implied]):
                await tx.insert(ImpliedRoleRow(roles[prior], roles[implied]))
        admin = await _user(tx, "admin", admin_hash, projects["admin"], now)
        demo = await _user(tx, "demo", demo_hash, projects["demo"], now)
        await _grant(tx, admin, roles["admin"], PROJECT, projects["admin"])
        await _grant(tx, admin, roles["admin"], SYSTEM, ALL)
        await _grant(tx, admin, roles["admin"], PROJECT, projects["demo"])
        await _grant(tx, demo, roles["member"], PROJECT, projects["demo"])
        if not await tx.get(RegionRow, id=region):
            await tx.insert(RegionRow(region, "", "", "{}", now))
        for offered in services:
            await _service(tx, offered, region, base_url, now)
        return projects

    return await room.change(write)


async def _domain(tx: Transaction, now: int) -> None:
    if not await tx.get(ProjectRow, id=DEFAULT):
        row = ProjectRow(DEFAULT, "Default", "", "", True, True, "The default domain", "", "[]", "{}", "{}", now)
        await tx.insert(row)


async def _project(tx: Transaction, name: str, now: int) -> str:
    row = await tx.get(ProjectRow, domain_id=DEFAULT, name=name)
    if row is None:
        description = {"admin": "Administration", "demo": "A place to try things", "service": "Services"}[name]
        row = ProjectRow(
            new_hex(), name, DEFAULT, DEFAULT, False, True, description, f"{DEFAULT}/", "[]", "{}", "{}", now
        )
        await tx.insert(row)
    return row.id


async def _role(tx: Transaction, name: str, now: int) -> str:
    row = await tx.get(RoleRow, domain_id="", name=name)
    if row is None:
        row = RoleRow(new_hex(), "", name, "", "{}", "{}", now)
        await tx.insert(row)
    return row.id


async def _user(tx: Transaction, name: str, password: str, project_id: str, now: int) -> str:
    row = await tx.get(UserRow, domain_id=DEFAULT, name=name, shadow="")
    if row is None:
        row = UserRow(new_hex(), DEFAULT, name, True, project_id, password, now, 0, 0, 0, now, "{}", "{}", now)
        await tx.insert(row)
    return row.id


async def _grant(tx: Transaction, user_id: str, role_id: str, kind: str, target_id: str) -> None:
    where = {"actor_id": user_id, "target_id": target_id, "role_id": role_id, "inherited": False, "kind": kind}
    if not await tx.get(AssignmentRow, **where):
        await tx.insert(AssignmentRow(user_id, target_id, role_id, False, kind, USER))


async def _service(tx: Transaction, offered: Offered, region: str, base_url: str, now: int) -> None:
    service = await tx.get(ServiceRow, type=offered.type, name=offered.name)
    if service is None:
        service = ServiceRow(new_hex(), offered.type, offered.name, offered.description, True, "{}", now)
        await tx.insert(service)
    end = f"/{offered.project_word}$(project_id)s" if offered.catalog_project else ""
    url = base_url.rstrip("/") + offered.path + offered.prefix + end
    for interface in INTERFACES:
        where = {"service_id": service.id, "interface": interface, "region_id": region}
        endpoint = await tx.get(EndpointRow, **where)
        if endpoint is None:
            await tx.insert(EndpointRow(new_hex(), service.id, interface, region, url, True, "{}", now))
        elif endpoint.url != url:
            await tx.update(EndpointRow, {"id": endpoint.id}, url=url)
