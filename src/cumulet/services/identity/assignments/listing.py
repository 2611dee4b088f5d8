"""`GET /role_assignments`: as they were made, or as they come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Query, Transaction
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.identity.assignments.effective import Entry, as_given, effective
from cumulet.services.identity.assignments.names import Names, read_names
from cumulet.services.identity.assignments.row import DOMAIN, GROUP, PROJECT, SYSTEM, USER, AssignmentRow
from cumulet.services.identity.directories.looking import look_at_granted_groups
from cumulet.services.identity.errors import InvalidValue
from cumulet.services.identity.groups.row import MembershipRow
from cumulet.services.identity.noun import known
from cumulet.services.identity.projects.row import ProjectRow, project_of
from cumulet.services.identity.roles.row import read_book
from cumulet.services.identity.room import Identity

RULE = "identity:"
MOST = 10_000
INHERITED = "scope.OS-INHERIT:inherited_to"
_EVERYTHING = Query(sa.select(AssignmentRow.table).order_by(AssignmentRow.c.actor_id, AssignmentRow.c.target_id))
_ALL_PROJECTS = Query(sa.select(ProjectRow.table).where(ProjectRow.c.is_domain.is_(sa.false())))


class Asked:
    """The question: which actors, places and roles, and how the answer shall look."""

    def __init__(self, call: Call) -> None:
        one = call.request.one
        self.user_id, self.group_id, self.role_id = one("user.id"), one("group.id"), one("role.id")
        self.project_id, self.domain_id = one("scope.project.id"), one("scope.domain.id")
        self.system = one("scope.system") is not None
        self.effective, self.names = _flag(call, "effective"), _flag(call, "include_names")
        self.subtree = _flag(call, "include_subtree")
        self.inherited = one(INHERITED)
        if self.inherited not in (None, "projects"):
            raise InvalidValue(f"{INHERITED}: the only value is projects.")
        if self.user_id and self.group_id:
            raise InvalidValue("Filter by user.id or by group.id, not by both.")
        if sum((self.project_id is not None, self.domain_id is not None, self.system)) > 1:
            raise InvalidValue("Filter by one scope only: project, domain or system.")
        if self.effective and (self.group_id or (self.domain_id and self.inherited)):
            raise InvalidValue("Effective assignments have neither groups nor inheritance; do not filter by them.")
        if self.subtree and not self.project_id:
            raise InvalidValue("include_subtree needs scope.project.id.")

    def wants(self, entry: Entry, places: set[str] | None) -> bool:
        """Is this entry part of the answer?"""
        return (
            (not self.user_id or (entry.actor == USER and entry.actor_id == self.user_id))
            and (not self.group_id or (entry.actor == GROUP and entry.actor_id == self.group_id))
            and (not self.role_id or entry.role_id == self.role_id)
            and (places is None or (entry.kind == PROJECT and entry.target_id in places))
            and (not self.domain_id or (entry.kind == DOMAIN and entry.target_id == self.domain_id))
            and (not self.system or entry.kind == SYSTEM)
            and (not self.inherited or entry.inherited)
        )


def _flag(call: Call, name: str) -> bool:
    """Set by its mere presence, as everywhere in this API; `=0` unsets it."""
    given = call.request.one(name)
    return given is not None and given != "0"


async def index(room: Identity, call: Call) -> dict[str, Any]:
    asked = Asked(call)
    if asked.effective:
        await look_at_granted_groups(room)
    async with room.database.read() as tx:
        await _allow(tx, call, asked)
        places = await _places(tx, asked)
        entries = [entry for entry in await _entries(tx, asked) if asked.wants(entry, places)]
        names = await read_names(tx, entries)
    # An assignment may outlive for a moment what it speaks of; whoever lists does not care.
    entries = [entry for entry in _unique(entries) if names.knows(entry)]
    if call.caller.domain_id:
        entries = [entry for entry in entries if names.home(entry) == call.caller.domain_id]
    shown = [shown_entry(call, entry, names if asked.names else None) for entry in entries[:MOST]]
    url = f"{call.base}/role_assignments"
    return call.dialect.page("role_assignments", shown, url=url, query=call.request.query, marker="")


async def _allow(tx: Transaction, call: Call, asked: Asked) -> None:
    domain_id = call.caller.domain_id or asked.domain_id
    rule = "list_role_assignments"
    if asked.subtree and asked.project_id:
        project = await project_of(tx, asked.project_id)
        domain_id = project.home if project else None
        rule = "list_role_assignments_for_tree"
    call.allow(RULE + rule, {"target": known(domain_id=domain_id)})


async def _places(tx: Transaction, asked: Asked) -> set[str] | None:
    """The projects that are meant; None: any place."""
    if not asked.project_id:
        return None
    places = {asked.project_id}
    if asked.subtree:
        places |= {row.id for row in await tx.rows(ProjectRow, _ALL_PROJECTS) if asked.project_id in row.ancestors}
    return places


async def _entries(tx: Transaction, asked: Asked) -> list[Entry]:
    if not asked.effective:
        return as_given(await _rows(tx, asked))
    rows = await _rows(tx, asked)
    members: dict[str, list[str]] = {}
    for membership in await tx.find(MembershipRow):
        members.setdefault(membership.group_id, []).append(membership.user_id)
    heirs = await tx.rows(ProjectRow, _ALL_PROJECTS) if any(row.inherited for row in rows) else []
    return effective(rows, members, heirs, await read_book(tx))


async def _rows(tx: Transaction, asked: Asked) -> list[AssignmentRow]:
    """The rows that the answer may come from, narrowed where a single column can say it."""
    if asked.group_id:
        return await tx.find(AssignmentRow, actor_id=asked.group_id)
    if asked.user_id and not asked.effective:
        return await tx.find(AssignmentRow, actor_id=asked.user_id)
    if asked.user_id:
        groups = [row.group_id for row in await tx.find(MembershipRow, user_id=asked.user_id)]
        return await tx.find(AssignmentRow, actor_id=[asked.user_id, *groups])
    if asked.domain_id:
        return await tx.find(AssignmentRow, target_id=asked.domain_id)
    return await tx.rows(AssignmentRow, _EVERYTHING)


def _unique(entries: list[Entry]) -> list[Entry]:
    """Each entry once: several ways may lead from one assignment to the same end."""
    return list({(entry.key, msgspec.structs.astuple(entry.origin)): entry for entry in entries}.values())


def shown_entry(call: Call, entry: Entry, names: Names | None) -> dict[str, Any]:
    """One entry as the API shows it."""
    brief: Callable[[str, str], dict[str, Any]] = names.brief if names else lambda kind, id_: {"id": id_}
    scope: dict[str, Any] = (
        {"system": {"all": True}} if entry.kind == SYSTEM else {entry.kind: brief(entry.kind, entry.target_id)}
    )
    if entry.inherited and entry.target_id == entry.origin.target_id:
        scope["OS-INHERIT:inherited_to"] = "projects"
    links = {"assignment": _address(call, entry.origin)}
    if entry.through_group:
        links["membership"] = f"{call.base}/groups/{entry.through_group}/users/{entry.actor_id}"
    if entry.implied_by:
        links["prior_role"] = f"{call.base}/roles/{entry.implied_by}/implies/{entry.role_id}"
    return {
        "role": brief("role", entry.role_id),
        entry.actor: brief(entry.actor, entry.actor_id),
        "scope": scope,
        "links": links,
    }


def _address(call: Call, row: AssignmentRow) -> str:
    place = "/system" if row.kind == SYSTEM else f"/{row.kind}s/{row.target_id}"
    path = f"{place}/{row.actor}s/{row.actor_id}/roles/{row.role_id}"
    return f"{call.base}/OS-INHERIT{path}/inherited_to_projects" if row.inherited else call.base + path


ROUTES = (Endpoint("GET", "/role_assignments", index, name="list_role_assignments"),)
