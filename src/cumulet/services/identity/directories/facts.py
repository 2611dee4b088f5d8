"""What a directory said, written down: the only code that writes the rows of those who are kept in one.

A question to a directory says of some rows whether they are still true: those are `expected`. Who is expected and was
not found is gone. Nothing is written where nothing has changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Row, Transaction
from cumulet.services.identity.assignments.row import GROUP, USER
from cumulet.services.identity.directories.people import Group, Person, public_id
from cumulet.services.identity.directories.row import DirectoryEntryRow
from cumulet.services.identity.groups.row import GroupRow, MembershipRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.row import UserRow

log = logging.getLogger("cumulet.identity.directories")
PART = 500


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between users and groups."""

    word: str
    row: type[Row]
    membership: str
    """The column of a membership that names one of them."""
    make: Callable[..., Any]
    """(id, domain, fact, the row there is or None, what was kept, now) → the row that there should be."""
    keep: Callable[[Any], dict[str, str]]
    """What must not be lost with a row."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be written."""

    rows: list[Any]
    """New ones, and changed ones in place of the old."""
    gone: list[Any]
    disabled: list[str]
    """Users who were enabled until now."""
    entries: list[DirectoryEntryRow]
    """Ids seen for the first time."""

    def __bool__(self) -> bool:
        return bool(self.rows or self.gone)


def _user(id_: str, domain_id: str, fact: Person, row: UserRow | None, kept: Mapping[str, str], now: int) -> UserRow:
    row = row or UserRow(
        id=id_,
        domain_id=domain_id,
        name="",
        enabled=False,
        default_project_id=kept.get("default_project_id", ""),
        password="",
        password_at=now,
        password_expires_at=0,
        failures=0,
        failed_at=0,
        active_at=0,
        options=kept.get("options", "{}"),
        extra="{}",
        created_at=now,
    )
    chosen = row.default_project_id if fact.default_project_id is None else fact.default_project_id
    extra = msgspec.json.encode(fact.extra).decode()
    return msgspec.structs.replace(row, name=fact.name, enabled=fact.enabled, default_project_id=chosen, extra=extra)


def _group(id_: str, domain_id: str, fact: Group, row: GroupRow | None, kept: Mapping[str, str], now: int) -> GroupRow:
    extra = msgspec.json.encode(fact.extra).decode()
    return GroupRow(id_, domain_id, fact.name, fact.description, extra, row.created_at if row else now)


PEOPLE = Kind(
    USER,
    UserRow,
    "user_id",
    _user,
    lambda row: {"default_project_id": row.default_project_id, "options": row.options},
)
GROUPS = Kind(GROUP, GroupRow, "group_id", _group, lambda row: {})


async def note(room: Identity, kind: Kind, domain_id: str, found: Sequence[Person | Group], **expected: Any) -> bool:
    """Write down who was found, out of the rows with these values (none given: all); did anything change?"""
    facts = _by_id(domain_id, kind, found)

    async def write(tx: Transaction) -> None:
        changes = await _changes(tx, room, kind, domain_id, facts, expected)
        await _let_go(tx, kind, changes.gone)
        # Out before in: two may have exchanged their names.
        await _delete(tx, kind.row, "id", [row.id for row in changes.rows])
        await tx.insert_all(changes.rows)
        await tx.insert_all(changes.entries)
        for user_id in changes.disabled:
            await room.revoke(tx, "user_id", user_id)

    async with room.database.read() as tx:
        if not await _changes(tx, room, kind, domain_id, facts, expected):
            return False
    with suppress(Duplicate):  # somebody else wrote down the same at the same moment
        await room.change(write)
    return True


async def note_memberships(room: Identity, groups: Collection[str], users: Collection[str], **of: Any) -> bool:
    """The memberships of this one group, or of this one user, are exactly these; did anything change?"""
    pairs = {(group, user) for group in groups for user in users}

    async def differences(tx: Transaction) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        stored = {(row.group_id, row.user_id) for row in await tx.find(MembershipRow, **of)}
        return pairs - stored, stored - pairs

    async def write(tx: Transaction) -> None:
        joined, left = await differences(tx)
        for group, user in left:
            await tx.delete(MembershipRow, group_id=group, user_id=user)
        await tx.insert_all(MembershipRow(group, user, room.clock.now()) for group, user in sorted(joined))

    async with room.database.read() as tx:
        if not any(await differences(tx)):
            return False
    with suppress(Duplicate):
        await room.change(write)
    return True


async def forget(tx: Transaction, domain_id: str) -> None:
    """A domain has no directory any more: who came from it is gone."""
    for kind in (PEOPLE, GROUPS):
        ids = {entry.id for entry in await tx.find(DirectoryEntryRow, domain_id=domain_id, kind=kind.word)}
        if ids:
            rows = await _find(tx, kind, domain_id=domain_id)
            await _let_go(tx, kind, [row for row in rows if row.id in ids])


async def _let_go(tx: Transaction, kind: Kind, rows: Sequence[Any]) -> None:
    """Remove rows, and keep what is only ours for their return."""
    for row in rows:
        await tx.update(DirectoryEntryRow, {"id": row.id}, kept=msgspec.json.encode(kind.keep(row)).decode())
    ids = [row.id for row in rows]
    await _delete(tx, MembershipRow, kind.membership, ids)
    await _delete(tx, kind.row, "id", ids)


async def _changes(
    tx: Transaction,
    room: Identity,
    kind: Kind,
    domain_id: str,
    found: Mapping[str, Person | Group],
    expected: Mapping[str, Any],
) -> Changes:
    """The difference between what was found and what is stored."""
    stored: dict[str, Any] = {row.id: row for row in await _find(tx, kind, domain_id=domain_id, **expected)}
    namesakes: dict[str, Any] = {}
    if expected:
        for part in _parts(list(found)):
            stored |= {row.id: row for row in await _find(tx, kind, id=part)}
        for part in _parts([fact.name for fact in found.values()]):
            rows = await _find(tx, kind, domain_id=domain_id, name=part)
            namesakes |= {row.name: row for row in rows if row.id not in stored}
    ids = sorted({*stored, *found, *(row.id for row in namesakes.values())})
    entries = {row.id: row for part in _parts(ids) for row in await tx.find(DirectoryEntryRow, id=part)}
    facts = dict(found)
    for id_, fact in found.items():
        holder = namesakes.get(fact.name)
        if holder and _yields(entries.get(holder.id), fact):
            stored[holder.id] = holder
        elif holder:
            del facts[id_]
    now = room.clock.now()
    changed, disabled = [], []
    for id_, fact in facts.items():
        before = stored.pop(id_, None)
        kept = msgspec.json.decode(entries[id_].kept) if id_ in entries else {}
        row = kind.make(id_, domain_id, fact, before, kept, now)
        changed += [row] if row != before else []
        disabled += [id_] if kind is PEOPLE and before and before.enabled and not row.enabled else []
    new = [
        DirectoryEntryRow(id_, domain_id, kind.word, fact.local_id, "{}")
        for id_, fact in facts.items()
        if id_ not in entries
    ]
    return Changes(changed, [row for row in stored.values() if row.id in entries], disabled, new)


async def _find(tx: Transaction, kind: Kind, **equal: Any) -> list[Any]:
    return list(await tx.find(kind.row, **equal))


def _yields(holder: DirectoryEntryRow | None, fact: Person | Group) -> bool:
    """Of two with one name the same one has it every time: that with the smaller id."""
    return holder is not None and fact.local_id < holder.local_id


def _by_id(domain_id: str, kind: Kind, found: Sequence[Person | Group]) -> dict[str, Person | Group]:
    """By id, each name once: a name stands for one of a domain only, and for the same one every time."""
    taken: dict[str, Person | Group] = {}
    for fact in sorted(found, key=lambda fact: fact.local_id):
        first = taken.setdefault(fact.name, fact)
        if first.local_id != fact.local_id:
            log.warning("%r and %r of domain %s have one name; the second is left out", first.dn, fact.dn, domain_id)
    return {public_id(domain_id, kind.word, fact.local_id): fact for fact in taken.values()}


async def _delete(tx: Transaction, row: type[Row], column: str, ids: list[str]) -> None:
    for part in _parts(ids):
        await tx.delete(row, **{column: part})


def _parts(ids: list[str]) -> Iterator[list[str]]:
    """Databases bound the length of a list behind IN."""
    return (ids[place : place + PART] for place in range(0, len(ids), PART))
