"""What a change of a domain's configuration means for its users; in the transaction that makes the change."""

from __future__ import annotations

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.identity.directories.facts import forget
from cumulet.services.identity.directories.options import BadOption, Options
from cumulet.services.identity.directories.registry import DRIVER, GROUP
from cumulet.services.identity.directories.row import DirectoryEntryRow
from cumulet.services.identity.domain_config.row import DomainConfigRow
from cumulet.services.identity.errors import InvalidValue, StillNeeded
from cumulet.services.identity.groups.row import GroupRow
from cumulet.services.identity.users.row import UserRow


async def settle(tx: Transaction, domain_id: str) -> None:
    """Raises InvalidValue for options that cannot be used, StillNeeded where a domain has users of its own."""
    rows = await tx.find(DomainConfigRow, domain_id=domain_id)
    plain = {(row.group, row.option): row.value for row in rows if row.option != "password"}
    if msgspec.json.decode(plain.get(("identity", "driver"), "null")) != DRIVER:
        await forget(tx, domain_id)
        return
    try:
        given = {option: msgspec.json.decode(value) for (group, option), value in plain.items() if group == GROUP}
        Options.read(given, reachable=False)
    except BadOption as error:
        raise InvalidValue(f"config: {GROUP}.{error}.") from error
    entries = {row.id for row in await tx.find(DirectoryEntryRow, domain_id=domain_id)}
    there = {row.id for row in await tx.find(UserRow, domain_id=domain_id)}
    there |= {row.id for row in await tx.find(GroupRow, domain_id=domain_id)}
    if there - entries:
        raise StillNeeded(
            f"Domain {domain_id} has users or groups of its own, which a directory would hide. Delete them first, "
            "or make another domain for the directory."
        )
