"""Which domain has a directory, and when somebody was last seen in it."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cryptography.fernet import InvalidToken

from cumulet.core.db import Transaction
from cumulet.drivers.directory.base import Directory
from cumulet.drivers.directory.ldap.directory import Ldap, LdapDirectory
from cumulet.lib.clock import SECOND, Clock
from cumulet.services.identity.directories.domain import DomainDirectory
from cumulet.services.identity.directories.options import BadOption, Options
from cumulet.services.identity.domain_config.row import DomainConfigRow
from cumulet.services.identity.errors import DirectoryUnavailable

log = logging.getLogger("cumulet.identity.directories")
DRIVER = "ldap"
GROUP = "ldap"
MOST_SEEN = 100_000
Open = Callable[[Ldap, Clock], Directory]


class Directories:
    """One directory for each domain that has one, as long as its options stay the same."""

    def __init__(self, clock: Clock, fresh_seconds: int, open_: Open = LdapDirectory) -> None:
        self._clock = clock
        self._fresh = fresh_seconds * SECOND
        self._open = open_
        self._open_ones: dict[str, DomainDirectory] = {}
        self._seen: OrderedDict[str, int] = OrderedDict()

    def is_due(self, id_: str) -> bool:
        """Is it time to ask again about this user or group? Whoever is told so is to ask: nobody else will for now."""
        now = self._clock.now()
        if now - self._seen.get(id_, -self._fresh) < self._fresh:
            return False
        self.note_seen(id_)
        return True

    def note_seen(self, id_: str) -> None:
        self._seen[id_] = self._clock.now()
        self._seen.move_to_end(id_)
        if len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)

    async def read(self, tx: Transaction, opened: Callable[[str], str]) -> Mapping[str, DomainDirectory | str]:
        """By domain, what its configuration comes to: a directory, or why there is none. `opened` unseals secrets."""
        chosen = await tx.find(DomainConfigRow, group="identity", option="driver")
        ids = [row.domain_id for row in chosen if msgspec.json.decode(row.value) == DRIVER]
        found: dict[str, DomainDirectory | str] = {}
        for domain_id in ids:
            rows = await tx.find(DomainConfigRow, domain_id=domain_id, group=GROUP)
            try:
                given = {
                    row.option: msgspec.json.decode(opened(row.value) if row.option == "password" else row.value)
                    for row in rows
                }
            except InvalidToken:
                found[domain_id] = f"The password for the directory of domain {domain_id} cannot be read: set it again."
                continue
            found[domain_id] = await self._directory(domain_id, given)
        for domain_id in set(self._open_ones) - set(ids):
            await self._open_ones.pop(domain_id).close()
        return found

    async def _directory(self, domain_id: str, given: Mapping[str, Any]) -> DomainDirectory | str:
        try:
            options = Options.read(given)
        except BadOption as error:
            return f"The directory of domain {domain_id} cannot be asked: ldap.{error}."
        known = self._open_ones.get(domain_id)
        if known is None or known.options != options:
            if known:
                await known.close()
            known = DomainDirectory(domain_id, options, self._open(options.ldap(), self._clock))
            self._open_ones[domain_id] = known
        return known


def usable(found: DomainDirectory | str) -> DomainDirectory:
    """Raises DirectoryUnavailable."""
    if isinstance(found, str):
        raise DirectoryUnavailable(found)
    return found
