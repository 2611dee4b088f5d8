"""Shadows: the users that people are here whom somebody else knows. Made at their first login, and followed after it.

A plan is read first, and written only if something is missing: most logins find everything as they left it, and what is
remembered of tokens stays good.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cumulet.core.db import Row, Transaction
from cumulet.lib.clock import SECOND
from cumulet.lib.ids import new_hex
from cumulet.services.identity.assignments.row import PROJECT, USER, AssignmentRow
from cumulet.services.identity.federation.identities import shown
from cumulet.services.identity.federation.mapping import Mapped, Person, Unmapped
from cumulet.services.identity.federation.rows import (
    UNSET,
    ExpiringMembershipRow,
    FederatedIdentityRow,
    IdentityProviderRow,
    ProtocolRow,
)
from cumulet.services.identity.federation.rules import DomainWords, GroupWords, ProjectWords
from cumulet.services.identity.groups.row import GroupRow
from cumulet.services.identity.projects.row import ProjectRow, domain_of
from cumulet.services.identity.roles.row import RoleRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.row import UserRow

MINUTE = 60 * SECOND
LONGEST_NAME = 255
log = logging.getLogger("cumulet.federation")


@dataclass
class Plan:
    """Who somebody is here, which groups he brings, and what has to be written so that it is so."""

    user: UserRow
    group_ids: tuple[str, ...] = ()
    new: list[Row] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    """Of the user's row."""
    renewed: list[ExpiringMembershipRow] = field(default_factory=list)
    """Memberships that only get a later end."""
    regains: bool = False
    """One of them had ended: roles come back with it."""


def shadow_id(domain_id: str, protocol: ProtocolRow, unique_id: str) -> str:
    """The id of a shadow: always the same for the same person, also after it was deleted."""
    text = "\0".join((domain_id, protocol.idp_id, protocol.id, unique_id))
    return hashlib.sha256(text.encode()).hexdigest()


async def settle(room: Identity, provider: IdentityProviderRow, protocol: ProtocolRow, mapped: Mapped) -> Plan:
    """Make a person's shadow, projects, roles and memberships what the mapping says. Raises Unmapped."""
    now = room.clock.now()
    ttl = provider.authorization_ttl if provider.authorization_ttl != UNSET else room.settings.default_authorization_ttl
    ends = now + ttl * MINUTE if ttl else 0

    async def write(tx: Transaction) -> None:
        plan = await plan_for(tx, protocol, mapped, now, ends)
        for row in plan.new:
            await tx.insert(row)
        if plan.changes:
            await tx.update(UserRow, {"id": plan.user.id}, **plan.changes)
        for row in plan.renewed:
            key = {"user_id": row.user_id, "group_id": row.group_id, "idp_id": row.idp_id}
            await tx.update(ExpiringMembershipRow, key, expires_at=row.expires_at)

    async with room.database.read() as tx:
        plan = await plan_for(tx, protocol, mapped, now, ends)
    if plan.new or plan.changes or plan.regains:
        await room.change(write)
    elif plan.renewed:
        await room.database.write(write)  # nobody gets or loses a role by it
    return plan


async def plan_for(tx: Transaction, protocol: ProtocolRow, mapped: Mapped, now: int, ends: int) -> Plan:
    """What is there, and what is missing. `ends`: the end of memberships; 0: they are in the token only."""
    plan = await _plan_user(tx, protocol, mapped.person, now)
    plan.group_ids = tuple(await _groups(tx, mapped))
    for words in mapped.projects:
        await _plan_project(tx, plan, words, now)
    for group_id in plan.group_ids if ends else ():
        membership = ExpiringMembershipRow(plan.user.id, group_id, protocol.idp_id, ends)
        key = {"user_id": plan.user.id, "group_id": group_id, "idp_id": protocol.idp_id}
        before = await tx.get(ExpiringMembershipRow, **key)
        if before is None:
            plan.new.append(membership)
        elif before.expires_at <= now:
            plan.renewed.append(membership)
            plan.regains = True
        elif before.expires_at < ends:
            plan.renewed.append(membership)
    return plan


async def _plan_user(tx: Transaction, protocol: ProtocolRow, person: Person, now: int) -> Plan:
    if max(len(person.id), len(person.name)) > LONGEST_NAME:
        raise Unmapped("the user's id or name is too long")
    where = {"idp_id": protocol.idp_id, "protocol_id": protocol.id, "unique_id": person.id}
    identity = await tx.get(FederatedIdentityRow, **where)
    user = await tx.get(UserRow, id=identity.user_id) if identity else None
    if user is not None:
        return Plan(user, changes=_news(user, person))
    domain = await find_domain(tx, person.domain)
    id_ = shadow_id(domain.id, protocol, person.id)
    identity = FederatedIdentityRow(new_hex(), id_, **where)
    federated = shown([identity])
    left = await tx.get(UserRow, id=id_)
    if left is not None:  # his provider had been removed and came back
        return Plan(left, new=[identity], changes=_news(left, person) | {"federated": federated})
    user = UserRow(
        id=id_,
        domain_id=domain.id,
        name=person.name,
        enabled=True,
        default_project_id="",
        password="",
        password_at=now,
        password_expires_at=0,
        failures=0,
        failed_at=0,
        active_at=now,
        options="{}",
        extra=_extra("{}", person),
        created_at=now,
        shadow=id_,
        federated=federated,
    )
    return Plan(user, new=[user, identity])


def _news(user: UserRow, person: Person) -> dict[str, Any]:
    """What his provider now says otherwise of a shadow. Users of this cloud's own keep the names they have here."""
    if not user.shadow:
        return {}
    told = {"name": person.name, "extra": _extra(user.extra, person)}
    return {column: value for column, value in told.items() if getattr(user, column) != value}


def _extra(text: str, person: Person) -> str:
    kept: dict[str, Any] = msgspec.json.decode(text)
    if person.email:
        kept["email"] = person.email
    return msgspec.json.encode(kept).decode()


async def find_domain(tx: Transaction, words: DomainWords | None) -> ProjectRow:
    """The domain of an id or a name. Raises Unmapped: domains are never made by a login."""
    found = None
    if words and words.id:
        found = await domain_of(tx, words.id)
    elif words and words.name:
        found = await tx.get(ProjectRow, domain_id="", name=words.name)
    if found is None:
        raise Unmapped(f"there is no domain {words.id or words.name if words else ''!r:.80}")
    return found


async def _groups(tx: Transaction, mapped: Mapped) -> list[str]:
    """The ids of the groups that there are. A group that is missing gives nothing, and hinders nobody."""
    found = [row.id for row in await tx.find(GroupRow, id=list(mapped.group_ids))] if mapped.group_ids else []
    for missing in set(mapped.group_ids) - set(found):
        log.warning("a mapping names the group %r, which there is not", missing)
    for words in mapped.groups:
        row = await _group(tx, words)
        if row is None:
            log.warning("a mapping names the group %r, which there is not in that domain", words.name)
        elif row.id not in found:
            found.append(row.id)
    return sorted(found)


async def _group(tx: Transaction, words: GroupWords) -> GroupRow | None:
    try:
        domain = await find_domain(tx, words.domain)
    except Unmapped:
        return None
    return await tx.get(GroupRow, domain_id=domain.id, name=words.name)


async def _plan_project(tx: Transaction, plan: Plan, words: ProjectWords, now: int) -> None:
    """A project that is made if need be, with roles that must be there. Raises Unmapped."""
    domain = await find_domain(tx, words.domain)
    if not 0 < len(words.name) <= 64:
        raise Unmapped(f"a project cannot be called {words.name[:80]!r}")
    project = await tx.get(ProjectRow, domain_id=domain.id, name=words.name) or _planned(plan, domain.id, words.name)
    if project is None:
        id_, above = new_hex(), f"{domain.id}/"
        project = ProjectRow(id_, words.name, domain.id, domain.id, False, True, "", above, "[]", "{}", "{}", now)
        plan.new.append(project)
    for role_words in words.roles:
        role = await tx.get(RoleRow, domain_id="", name=role_words.name)
        if role is None:
            raise Unmapped(f"there is no role {role_words.name[:80]!r}")
        row = AssignmentRow(plan.user.id, project.id, role.id, False, PROJECT, USER)
        key = {"actor_id": row.actor_id, "target_id": row.target_id, "role_id": row.role_id}
        if row not in plan.new and not await tx.get(AssignmentRow, **key, inherited=False, kind=PROJECT):
            plan.new.append(row)


def _planned(plan: Plan, domain_id: str, name: str) -> ProjectRow | None:
    for row in plan.new:
        if isinstance(row, ProjectRow) and (row.domain_id, row.name) == (domain_id, name):
            return row
    return None
