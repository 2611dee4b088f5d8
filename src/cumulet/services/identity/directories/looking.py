"""Having directories asked, for the rest of the room: afterwards the rows are as true as they can be.

Who names a domain, a user or a group is told when its directory does not answer (DirectoryUnavailable). Who only needs
what is known, such as the validation of a token, goes on with that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Set
from typing import Any

from cumulet.services.identity.assignments.row import GROUP, USER, AssignmentRow
from cumulet.services.identity.auth.lookup import named_domain
from cumulet.services.identity.directories.domain import DomainDirectory
from cumulet.services.identity.directories.facts import GROUPS, PEOPLE, note, note_memberships
from cumulet.services.identity.directories.people import Person, public_id
from cumulet.services.identity.directories.registry import usable
from cumulet.services.identity.directories.row import DirectoryEntryRow
from cumulet.services.identity.errors import DirectoryUnavailable, KeptElsewhere
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.row import UserRow

OUR_OWN = frozenset({"default_project_id", "options"})
"""Fields of users that a directory knows nothing of, unless it was told otherwise."""

log = logging.getLogger("cumulet.identity.directories")


async def refuse_change(room: Identity, domain_id: str, what: str) -> None:
    """Raise KeptElsewhere if the users and groups of a domain are not changed here."""
    if domain_id in await _all(room):
        raise KeptElsewhere(
            f"The {what} of domain {domain_id} are kept in a directory, which is only read here. Change them there."
        )


async def refuse_user_change(room: Identity, domain_id: str, changed: Set[str]) -> None:
    """The same for these fields of one user: some are ours in any case."""
    found = (await _all(room)).get(domain_id)
    ours = OUR_OWN
    if isinstance(found, DomainDirectory) and found.options.keeps_default_projects:
        ours -= {"default_project_id"}
    if not changed <= ours:
        await refuse_change(room, domain_id, "users")


async def look_at_users(room: Identity, domain_id: str | None, name: str | None) -> None:
    """Before users are listed: those of one domain, perhaps with one name, or those of all domains."""
    for_all = await _chosen(room, domain_id)

    async def look(directory: DomainDirectory) -> None:
        found = await (directory.people() if name is None else directory.named(name))
        await note(room, PEOPLE, directory.domain_id, found, **({} if name is None else {"name": name}))

    await _each(for_all, look, must=domain_id is not None)


async def look_at_groups(room: Identity, domain_id: str | None, name: str | None) -> None:
    for_all = await _chosen(room, domain_id)

    async def look(directory: DomainDirectory) -> None:
        found = await (directory.groups() if name is None else directory.groups_named(name))
        await note(room, GROUPS, directory.domain_id, found, **({} if name is None else {"name": name}))

    await _each(for_all, look, must=domain_id is not None)


async def look_at_user(room: Identity, user_id: str) -> bool:
    """Before one user is shown: himself and the groups he is in; did anything change?"""
    directory, entry = await _entry(room, user_id, USER)
    if directory is None or entry is None:
        return False
    room.directories.note_seen(user_id)
    found = await directory.person(entry.local_id)
    changed = await note(room, PEOPLE, directory.domain_id, found, id=user_id)
    for person in found:
        changed |= await _look_at_groups_of(room, directory, person)
    return changed


async def look_at_group(room: Identity, group_id: str) -> None:
    """Before one group is shown."""
    directory, entry = await _entry(room, group_id, GROUP)
    if directory and entry:
        await note(room, GROUPS, directory.domain_id, await directory.group(entry.local_id), id=group_id)


async def look_at_members(room: Identity, group_id: str) -> None:
    """Before it is shown who is in one group."""
    directory, entry = await _entry(room, group_id, GROUP)
    if directory and entry:
        await _look_at_members(room, directory, {group_id})


async def look_again(room: Identity, users: Iterable[UserRow]) -> bool:
    """Are the facts about these users still true? Those that are not older than a moment are believed."""
    changed = False
    for user in users:
        if user.domain_id in await _all(room) and room.directories.is_due(user.id):
            try:
                changed |= await look_at_user(room, user.id)
            except DirectoryUnavailable as reason:
                log.warning("user %s is taken as he was known: %s", user.id, reason.message)
    return changed


async def look_at_granted_groups(room: Identity) -> None:
    """Before it is told who has which role: who is in the groups that have one."""
    domains = await _all(room)
    if not domains:
        return
    async with room.database.read() as tx:
        granted = {row.actor_id for row in await tx.find(AssignmentRow, actor=GROUP)}
        ours = await tx.find(DirectoryEntryRow, domain_id=list(domains), kind=GROUP)
    for domain_id, found in domains.items():
        due = {entry.id for entry in ours if entry.domain_id == domain_id and entry.id in granted}
        due = {group_id for group_id in due if room.directories.is_due(group_id)}
        try:
            if due:
                await _look_at_members(room, usable(found), due)
        except DirectoryUnavailable as reason:
            log.warning("groups of domain %s are taken as they were known: %s", domain_id, reason.message)


async def look_up(room: Identity, words: dict[str, Any]) -> dict[str, Any]:
    """Before somebody authenticates: the words that name him, if a directory knows him by his id."""
    domains = await _all(room)
    if not domains:
        return words
    if words.get("id"):
        await look_at_user(room, words["id"])
        return words
    if not words.get("name"):
        return words
    async with room.database.read() as tx:
        domain = await named_domain(tx, words.get("domain"))
    if domain is None or domain.id not in domains:
        return words
    directory = usable(domains[domain.id])
    name = words["name"]
    found = await directory.named(name)
    await note(room, PEOPLE, domain.id, found, name=name)
    if not found:
        return words
    first = min(found, key=lambda person: person.local_id)
    await _look_at_groups_of(room, directory, first)
    id_ = public_id(domain.id, USER, first.local_id)
    room.directories.note_seen(id_)
    return {**words, "id": id_}


async def accepts(room: Identity, user: UserRow, password: str) -> bool | None:
    """Is it his password in the directory he comes from? None: he comes from none."""
    directory, entry = await _entry(room, user.id, USER)
    if directory is None or entry is None:
        return None
    return await directory.accepts(entry.local_id, password)


async def _look_at_members(room: Identity, directory: DomainDirectory, group_ids: Set[str]) -> None:
    domain_id = directory.domain_id
    groups, everybody = await directory.groups(), await directory.people()
    await note(room, GROUPS, domain_id, groups)
    await note(room, PEOPLE, domain_id, everybody)
    for group in groups:
        group_id = public_id(domain_id, GROUP, group.local_id)
        if group_id in group_ids:
            members = await directory.members_of(group, everybody)
            ids = [public_id(domain_id, USER, person.local_id) for person in members]
            await note_memberships(room, [group_id], ids, group_id=group_id)


async def _look_at_groups_of(room: Identity, directory: DomainDirectory, person: Person) -> bool:
    domain_id = directory.domain_id
    groups = await directory.groups_of(person)
    ids = [public_id(domain_id, GROUP, group.local_id) for group in groups]
    user_id = public_id(domain_id, USER, person.local_id)
    changed = await note(room, GROUPS, domain_id, groups, id=ids)
    return await note_memberships(room, ids, [user_id], user_id=user_id) or changed


async def _entry(room: Identity, id_: str, kind: str) -> tuple[DomainDirectory | None, DirectoryEntryRow | None]:
    """The directory that an id comes from, and the entry it stands for."""
    domains = await _all(room)
    if not domains or len(id_) != 64:  # ours are shorter
        return None, None
    async with room.database.read() as tx:
        entry = await tx.get(DirectoryEntryRow, id=id_, kind=kind)
    if entry is None or entry.domain_id not in domains:
        return None, None
    return usable(domains[entry.domain_id]), entry


async def _all(room: Identity) -> Mapping[str, DomainDirectory | str]:
    async def read() -> Mapping[str, DomainDirectory | str]:
        async with room.database.read() as tx:
            return await room.directories.read(
                tx, lambda sealed: room.credential_keys.fernet.decrypt(sealed.encode()).decode()
            )

    return await room.kept.get("directories", read)


async def _chosen(room: Identity, domain_id: str | None) -> list[DomainDirectory]:
    domains = await _all(room)
    if domain_id is not None:
        return [usable(domains[domain_id])] if domain_id in domains else []
    return [found for found in domains.values() if isinstance(found, DomainDirectory)]


async def _each(directories: list[DomainDirectory], look: Any, *, must: bool) -> None:
    """Ask all at once. Where no directory was named, one that does not answer must not hide the others."""
    results = await asyncio.gather(*map(look, directories), return_exceptions=not must)
    for directory, result in zip(directories, results, strict=True):
        if isinstance(result, DirectoryUnavailable):
            log.warning("users of domain %s are shown as they were known: %s", directory.domain_id, result.message)
        elif isinstance(result, BaseException):
            raise result
