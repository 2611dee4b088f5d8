"""What assignments come to: groups as their members, inheritance as the projects below, roles with what they imply.

Pure: rows in, entries out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cumulet.services.identity.assignments.row import PROJECT, USER, AssignmentRow
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.roles.row import RoleBook


@dataclass(frozen=True)
class Entry:
    """One line of the list of assignments, and the rows it comes from."""

    actor: str
    actor_id: str
    kind: str
    target_id: str
    role_id: str
    inherited: bool
    origin: AssignmentRow
    through_group: str = ""
    implied_by: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it different from other entries of the same origin."""
        return self.actor_id, self.kind, self.target_id, self.role_id, self.through_group, self.implied_by


def as_given(rows: Iterable[AssignmentRow]) -> list[Entry]:
    """The assignments as they were made."""
    return [Entry(row.actor, row.actor_id, row.kind, row.target_id, row.role_id, row.inherited, row) for row in rows]


def effective(
    rows: Iterable[AssignmentRow],
    members: Mapping[str, Sequence[str]],
    projects: Sequence[ProjectRow],
    book: RoleBook,
) -> list[Entry]:
    """Who really has which role where. `projects` are those that may inherit something."""
    found: list[Entry] = []
    for entry in as_given(rows):
        for person in _members(entry, members):
            for place in _places(person, projects):
                found += _with_implied(place, book)
    return found


def _members(entry: Entry, members: Mapping[str, Sequence[str]]) -> list[Entry]:
    if entry.actor == USER:
        return [entry]
    group = entry.actor_id
    return [replace(entry, actor=USER, actor_id=user_id, through_group=group) for user_id in members.get(group, ())]


def _places(entry: Entry, projects: Sequence[ProjectRow]) -> list[Entry]:
    if not entry.inherited:
        return [entry]
    return [
        replace(entry, kind=PROJECT, target_id=project.id)
        for project in projects
        if entry.target_id in project.ancestors
    ]


def _with_implied(entry: Entry, book: RoleBook) -> list[Entry]:
    """The role, unless it is a domain's own, and all that it implies."""
    found: list[Entry] = []
    if entry.role_id in book.roles and not book.roles[entry.role_id].domain_id:
        found.append(entry)
    for role_id in sorted(book.closure({entry.role_id}) - {entry.role_id}):
        if not book.roles[role_id].domain_id:
            found.append(replace(entry, role_id=role_id, implied_by=entry.role_id))
    return found
