"""One domain's directory: questions about people and groups."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from cumulet.drivers.directory.base import Directory, DirectoryDown, Entry, Filter, Scope
from cumulet.drivers.directory.ldap.filters import equal, every, matching, present
from cumulet.services.identity.directories.options import Options
from cumulet.services.identity.directories.people import (
    Group,
    Person,
    enabling,
    group,
    group_attributes,
    normal_dn,
    person,
    user_attributes,
)
from cumulet.services.identity.errors import DirectoryUnavailable

T = TypeVar("T")


class DomainDirectory:
    """Raises DirectoryUnavailable whenever there is no answer."""

    def __init__(self, domain_id: str, options: Options, directory: Directory) -> None:
        self.domain_id = domain_id
        self.options = options
        self._directory = directory

    async def people(self, *narrowed: Filter) -> list[Person]:
        """Everybody, or those who fulfil all conditions."""
        options = self.options
        entries = await self._search(options.users_below, options.users_wanted(), narrowed, user_attributes(options))
        return await self._as_people(entries)

    async def person(self, local_id: str) -> list[Person]:
        """The one of an id: nobody or somebody."""
        return await self.people(equal(self.options.user_id_attribute, local_id))

    async def named(self, name: str) -> list[Person]:
        return await self.people(equal(self.options.user_name_attribute, name))

    async def groups(self, *narrowed: Filter) -> list[Group]:
        options = self.options
        entries = await self._search(options.groups_below, options.groups_wanted(), narrowed, group_attributes(options))
        return [found for entry in entries if (found := group(entry, options))]

    async def group(self, local_id: str) -> list[Group]:
        return await self.groups(equal(self.options.group_id_attribute, local_id))

    async def groups_named(self, name: str) -> list[Group]:
        return await self.groups(equal(self.options.group_name_attribute, name))

    async def groups_of(self, who: Person) -> list[Group]:
        """The groups that somebody is in; nested ones too where the directory follows them."""
        options = self.options
        if options.group_members_are_ids:
            return await self.groups(equal(options.group_member_attribute, who.local_id))
        if options.group_ad_nesting:
            return await self.groups(matching(options.group_member_attribute, who.dn))
        return await self.groups(equal(options.group_member_attribute, who.dn))

    async def members_of(self, of: Group, everybody: Sequence[Person]) -> list[Person]:
        """Those of all people who are in a group; nested ones too where the directory follows them."""
        if self.options.group_ad_nesting:
            return await self.people(matching("memberOf", of.dn))
        if self.options.group_members_are_ids:
            return [one for one in everybody if one.local_id in of.members]
        members = {normal_dn(dn) for dn in of.members}
        return [one for one in everybody if normal_dn(one.dn) in members]

    async def accepts(self, local_id: str, password: str) -> bool:
        """Is it the password of the one with this id?"""
        found = await self.person(local_id)
        return bool(found) and await _answered(self._directory.accepts(found[0].dn, password))

    async def close(self) -> None:
        await self._directory.close()

    async def _search(
        self, base: str, always: list[Filter], narrowed: tuple[Filter, ...], attributes: list[str]
    ) -> list[Entry]:
        wanted = every(*always, *narrowed)
        return await _answered(self._directory.search(base, self.options.scope, wanted, attributes))

    async def _as_people(self, entries: list[Entry]) -> list[Person]:
        enabled = await self._enabled_by_membership() if self.options.user_enabled_emulation and entries else set()
        return [found for entry in entries if (found := person(entry, self.options, enabled))]

    async def _enabled_by_membership(self) -> set[str]:
        options = self.options
        by_group = options.user_enabled_emulation_use_group_config
        attribute = options.group_member_attribute if by_group else "member"
        search = self._directory.search(options.enabled_users, Scope.BASE, present("objectClass"), [attribute])
        return enabling([value for entry in await _answered(search) for value in entry.all(attribute)], options)


async def _answered(question: Awaitable[T]) -> T:
    try:
        return await question
    except DirectoryDown as error:
        raise DirectoryUnavailable(f"The users of this domain are kept elsewhere, and {error}.") from error
