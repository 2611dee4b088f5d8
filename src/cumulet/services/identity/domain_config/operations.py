"""What may be done with domains' configurations; the only code that writes their rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.identity.directories.settling import settle
from cumulet.services.identity.domain_config.options import DEFAULTS, SECRET
from cumulet.services.identity.domain_config.row import DomainConfigRow
from cumulet.services.identity.errors import InvalidValue, NotAllowed
from cumulet.services.identity.room import Identity

Config = dict[str, dict[str, Any]]


def check(config: Mapping[str, Any]) -> None:
    """Raises InvalidValue, NotAllowed for what no domain may set."""
    for group, options in config.items():
        if group not in DEFAULTS:
            raise NotAllowed(f"The group {group[:64]} cannot be set for a domain.")
        if not isinstance(options, dict) or not options:
            raise InvalidValue(f"config: the group {group} must be an object with options.")
        for option in options:
            if option not in DEFAULTS[group]:
                raise NotAllowed(f"The option {option[:64]} of the group {group} cannot be set for a domain.")
    if not config:
        raise InvalidValue("config: give at least one group with an option.")


async def read(tx: Transaction, domain_id: str, where: Mapping[str, Any]) -> Config:
    """What a domain has set, but for its secrets; `where` may name a group and an option."""
    found: Config = {}
    for row in await tx.find(DomainConfigRow, order_by="option", domain_id=domain_id, **where):
        if (row.group, row.option) not in SECRET:
            found.setdefault(row.group, {})[row.option] = msgspec.json.decode(row.value)
    return found


async def write(room: Identity, tx: Transaction, domain_id: str, config: Config, *, whole: bool) -> None:
    """Set options; `whole`: in place of all that were set. For use within the room's `change`."""
    if whole:
        await tx.delete(DomainConfigRow, domain_id=domain_id)
    for group, options in config.items():
        for option, value in options.items():
            text = msgspec.json.encode(value).decode()
            if (group, option) in SECRET:
                text = room.credential_keys.fernet.encrypt(text.encode()).decode()
            await tx.delete(DomainConfigRow, domain_id=domain_id, group=group, option=option)
            await tx.insert(DomainConfigRow(domain_id, group, option, text))
    await settle(tx, domain_id)


async def remove(tx: Transaction, domain_id: str, where: Mapping[str, Any]) -> bool:
    """Unset what `where` names; was there anything?"""
    there = await tx.delete(DomainConfigRow, domain_id=domain_id, **where)
    await settle(tx, domain_id)
    return bool(there)
