"""What may be done with projects and domains; the only code that writes their rows."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Duplicate, Query, Row, Transaction
from cumulet.lib.ids import new_hex
from cumulet.services.identity.assignments.row import AssignmentRow
from cumulet.services.identity.catalog.filtering import ProjectEndpointGroupRow, ProjectEndpointRow
from cumulet.services.identity.credentials.row import CredentialRow
from cumulet.services.identity.delegations.rows import ApplicationCredentialRow, TrustRow
from cumulet.services.identity.directories.row import DirectoryEntryRow
from cumulet.services.identity.domain_config.row import DomainConfigRow
from cumulet.services.identity.errors import Immutable, InvalidValue, Missing, NameTaken, NotAllowed
from cumulet.services.identity.federation.identities import remove_provider
from cumulet.services.identity.federation.rows import ExpiringMembershipRow, IdentityProviderRow
from cumulet.services.identity.groups.row import GroupRow, MembershipRow
from cumulet.services.identity.limits.rows import LimitRow
from cumulet.services.identity.oauth.rows import AccessTokenRow, RequestTokenRow
from cumulet.services.identity.projects.row import ProjectRow, project_of
from cumulet.services.identity.roles.row import RoleRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.belongings import OWNED
from cumulet.services.identity.users.row import UserRow

_CHILDREN = Query(
    sa.select(ProjectRow.table).where(ProjectRow.c.parent_id == sa.bindparam("parent")).limit(sa.literal_column("1"))
)
_BELOW = Query(sa.select(ProjectRow.table).where(ProjectRow.c.lineage.like(sa.bindparam("lineage"))))


async def below(tx: Transaction, row: ProjectRow) -> list[ProjectRow]:
    """Everything under a project, at any depth."""
    return await tx.rows(ProjectRow, _BELOW, {"lineage": f"{row.lineage}{row.id}/%"})


async def create(room: Identity, wish: dict[str, Any], *, extra: str, options: str, id_: str = "") -> ProjectRow:
    """A new project, or a domain when the wish says `is_domain`."""
    is_domain = wish.get("is_domain", False)
    row = ProjectRow(
        id=id_ or new_hex(),
        name=wish["name"].strip(),
        domain_id="" if is_domain else wish["domain_id"],
        parent_id="" if is_domain else wish.get("parent_id") or wish["domain_id"],
        is_domain=is_domain,
        enabled=wish["enabled"],
        description=wish.get("description") or "",
        lineage="",
        tags=msgspec.json.encode(sorted(wish.get("tags") or [])).decode(),
        options=options,
        extra=extra,
        created_at=room.clock.now(),
    )

    async def write(tx: Transaction) -> None:
        if not is_domain:
            row.lineage = _lineage_below(await _parent(tx, row), room.max_project_depth)
        await tx.insert(row)

    try:
        await room.database.write(write)
    except Duplicate as taken:
        if taken.index != "identity_projects_name":
            raise NameTaken(f"Conflict occurred attempting to store domain - id {row.id} is taken.") from taken
        raise _taken(row) from taken
    return row


async def _parent(tx: Transaction, row: ProjectRow) -> ProjectRow:
    domain = await project_of(tx, row.domain_id)
    if domain is None or not domain.is_domain:
        raise Missing(f"Could not find domain: {row.domain_id[:64]}.")
    parent = await project_of(tx, row.parent_id)
    if parent is None:
        raise Missing(f"Could not find project: {row.parent_id[:64]}, which was named as the parent.")
    if parent.home != row.domain_id:
        raise InvalidValue("parent_id: the parent belongs to another domain.")
    if not parent.enabled:
        raise NotAllowed("A project cannot be made below one that is disabled.")
    return parent


def _lineage_below(parent: ProjectRow, most: int) -> str:
    lineage = f"{parent.lineage}{parent.id}/"
    if lineage.count("/") > most:
        raise NotAllowed(f"Max hierarchy depth reached: projects may be nested {most} deep.")
    return lineage


async def update(room: Identity, row: ProjectRow, wish: dict[str, Any], *, extra: str, options: str) -> ProjectRow:
    """Change what was named. To disable is to make the tokens there void."""
    noun = "domain" if row.is_domain else "project"
    _check_immutable(row, wish, noun)
    for fixed, value in (("domain_id", row.domain_id), ("parent_id", row.parent_id), ("is_domain", row.is_domain)):
        if fixed in wish and (wish[fixed] or "") != (value or ""):
            raise InvalidValue(f"{fixed}: this cannot be changed.")
    changes: dict[str, Any] = {"extra": extra, "options": options}
    if "name" in wish:
        changes["name"] = wish["name"].strip()
    if "description" in wish:
        changes["description"] = wish["description"] or ""
    if "enabled" in wish:
        changes["enabled"] = wish["enabled"]
    if "tags" in wish:
        changes["tags"] = msgspec.json.encode(sorted(wish["tags"])).decode()

    async def write(tx: Transaction) -> ProjectRow:
        if "enabled" in wish and wish["enabled"] != row.enabled and not row.is_domain:
            await _check_switch(tx, row, wish["enabled"])
        if not await tx.update(ProjectRow, {"id": row.id}, **changes):
            raise Missing(f"Could not find {noun}: {row.id}.")
        if row.enabled and changes.get("enabled") is False:
            await room.revoke(tx, "domain_id" if row.is_domain else "project_id", row.id)
        changed = await project_of(tx, row.id)
        assert changed is not None
        return changed

    try:
        return await room.change(write)
    except Duplicate as taken:
        raise _taken(row) from taken


async def _check_switch(tx: Transaction, row: ProjectRow, enabled: bool) -> None:
    """A project is enabled before, and disabled after, what is below it."""
    if enabled:
        parents = await tx.find(ProjectRow, id=row.ancestors)
        if not all(parent.enabled for parent in parents):
            raise NotAllowed(f"Cannot enable project {row.id} since it has disabled parents.")
    elif any(child.enabled for child in await below(tx, row)):
        raise NotAllowed(f"Cannot disable project {row.id} since its subtree contains enabled projects.")


async def delete(room: Identity, row: ProjectRow) -> None:
    """Remove a project without children, or a disabled domain with everything in it."""
    if row.is_immutable:
        raise Immutable(f"{row.id} is immutable. Set its option immutable to false first.")
    if row.is_domain and row.enabled:
        raise NotAllowed("Cannot delete a domain that is enabled, please disable it first.")
    now = room.clock.now()

    async def write(tx: Transaction) -> None:
        if row.is_domain:
            await _empty(tx, row, now)
        elif await tx.rows(ProjectRow, _CHILDREN, {"parent": row.id}):
            raise NotAllowed(f"Cannot delete project {row.id}: it has projects below it. Delete those first.")
        await _forget(tx, [row.id], now)

    await room.change(write)


async def _empty(tx: Transaction, domain: ProjectRow, now: int) -> None:
    """Remove what belongs to a domain."""
    users = [row.id for row in await tx.find(UserRow, domain_id=domain.id)]
    groups = [row.id for row in await tx.find(GroupRow, domain_id=domain.id)]
    projects = [row.id for row in await below(tx, domain)]
    for part in _parts(projects):
        await _forget(tx, part, now)
    for part in _parts(users):
        for owned in OWNED:
            await tx.delete(owned, user_id=part)
        await tx.delete(AssignmentRow, actor_id=part)
        await tx.delete(TrustRow, trustor_id=part)
        await tx.delete(TrustRow, trustee_id=part)
        await tx.delete(UserRow, id=part)
    for part in _parts(groups):
        await tx.delete(MembershipRow, group_id=part)
        await tx.delete(ExpiringMembershipRow, group_id=part)
        await tx.delete(AssignmentRow, actor_id=part)
        await tx.delete(GroupRow, id=part)
    roles = [row.id for row in await tx.find(RoleRow, domain_id=domain.id)]
    if roles:
        await tx.delete(AssignmentRow, role_id=roles)
        await tx.delete(RoleRow, id=roles)
    await tx.delete(DomainConfigRow, domain_id=domain.id)
    await tx.delete(DirectoryEntryRow, domain_id=domain.id)
    for provider in await tx.find(IdentityProviderRow, domain_id=domain.id):
        await remove_provider(tx, provider.id)


async def _forget(tx: Transaction, ids: list[str], now: int) -> None:
    """Remove projects with what exists for their sake only."""
    by_project: tuple[type[Row], ...] = (
        CredentialRow,
        ApplicationCredentialRow,
        AccessTokenRow,
        RequestTokenRow,
        ProjectEndpointRow,
        ProjectEndpointGroupRow,
        LimitRow,
    )
    for owned in by_project:
        await tx.delete(owned, project_id=ids)
    await tx.delete(LimitRow, domain_id=ids)
    await tx.delete(AssignmentRow, target_id=ids)
    await tx.update(TrustRow, {"project_id": ids, "deleted_at": 0}, deleted_at=now)
    await tx.delete(ProjectRow, id=ids)


def _parts(ids: list[str], size: int = 500) -> list[list[str]]:
    """Databases bound the length of a list behind IN."""
    return [ids[place : place + size] for place in range(0, len(ids), size)]


def _check_immutable(row: ProjectRow, wish: dict[str, Any], noun: str) -> None:
    frees = (wish.get("options") or {}).get("immutable", True) in (False, None)
    if row.is_immutable and not frees:
        raise Immutable(f"The {noun} {row.id} is immutable. Set its option immutable to false first.")


def _taken(row: ProjectRow) -> NameTaken:
    noun = "domain" if row.is_domain else "project"
    where = "" if row.is_domain else f" at domain ID {row.domain_id}"
    return NameTaken(
        f"Conflict occurred attempting to store {noun} - it is not permitted to have two {noun}s with the same "
        f"name{where}: {row.name}"
    )
