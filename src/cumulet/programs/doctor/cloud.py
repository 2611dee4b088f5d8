"""Checks of a cloud that is there already: its database, its nodes, its policy files."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import NodeFacts
from cumulet.core.access.policy_file import PolicyFileError
from cumulet.core.db import Database, Query
from cumulet.core.db.connect import connect
from cumulet.lib.clock import SystemClock
from cumulet.programs import policy
from cumulet.programs.doctor.finding import MODES, Finding
from cumulet.programs.settings import Settings
from cumulet.services.identity.directories.domain import DomainDirectory
from cumulet.services.identity.directories.registry import usable
from cumulet.services.identity.errors import DirectoryUnavailable

SHOWN = 5
"""Orphans named; of more, the number is said."""


async def database(settings: Settings) -> list[Finding]:
    """Whether it answers, and what the nodes say that nobody had ordered."""
    if not settings.database and not (settings.state / "cumulet.db").exists():
        return [Finding("Database", True, "SQLite, made at the first start")]
    remedy = "check the URL, that the server runs and that its driver is installed: pip install 'cumulet[postgresql]'"
    try:
        opened = Database(await connect(settings.database_url))
    except Exception as error:
        return [Finding("Database", False, f"{type(error).__name__}: {error}", remedy, MODES)]
    try:
        async with opened.read() as tx:
            await tx.scalar(Query(sa.select(sa.literal_column("1"))))
        found = [Finding("Database", True, opened.backend.dialect), *await _nodes(opened)]
        return found + await _directories(opened, settings)
    except Exception as error:
        return [Finding("Database", False, f"{type(error).__name__}: {error}", remedy, MODES)]
    finally:
        await opened.close()


async def _nodes(opened: Database) -> list[Finding]:
    from cumulet.programs.migrate import version
    from cumulet.services.fleet.nodes import NodeRow

    async with opened.read() as tx:
        if not await version(tx):
            return []
        rows = await tx.find(NodeRow, order_by="name")
    return [orphans(msgspec.json.decode(row.facts, type=NodeFacts)) for row in rows if row.facts]


async def _directories(opened: Database, settings: Settings) -> list[Finding]:
    """Whether the directories that keep users answer, and have any."""
    from cumulet.programs.migrate import version
    from cumulet.services.identity.directories.registry import Directories
    from cumulet.services.identity.domain_config.row import DomainConfigRow
    from cumulet.services.identity.tokens.keys import KeyRepository

    async with opened.read() as tx:
        if not await version(tx) or not await tx.find(DomainConfigRow, limit=1):
            return []
        keys = KeyRepository(settings.state / "credential-keys", active=1)
        read = await Directories(SystemClock(), 0).read(tx, lambda text: keys.fernet.decrypt(text.encode()).decode())
    return [await directory(domain_id, found) for domain_id, found in read.items()]


async def directory(domain_id: str, found: DomainDirectory | str) -> Finding:
    """What a domain's directory answers."""
    name, remedy = f"Directory of domain {domain_id}", f"change the options with PATCH /v3/domains/{domain_id}/config"
    try:
        users, groups = len(await usable(found).people()), len(await usable(found).groups())
    except DirectoryUnavailable as error:
        return Finding(name, False, error.message, remedy)
    if not users:
        return Finding(name, False, "it answers, and no user is found", f"{remedy}: user_tree_dn, user_objectclass, …")
    return Finding(name, True, f"{users} users, {groups} groups")


def orphans(facts: NodeFacts) -> Finding:
    """Things on a node that the cloud does not know. Pure."""
    name = f"Node {facts.name}"
    if not facts.orphans:
        return Finding(name, True, "holds nothing that nobody ordered")
    named = ", ".join(facts.orphans[:SHOWN])
    more = len(facts.orphans) - SHOWN
    detail = f"nobody ordered {named}{f' and {more} more' if more > 0 else ''}"
    return Finding(name, False, detail, "they are never deleted by themselves; look at them, then remove them by hand")


def policies(settings: Settings) -> list[Finding]:
    """Whether the services would start with these files."""
    problems = []
    for room in policy.ROOMS:
        try:
            policy.read(settings, room)
        except PolicyFileError as error:
            problems += [f"{room}: {problem}" for problem in error.problems]
    if not problems:
        return [Finding("Policy files", True)]
    return [Finding("Policy files", False, one, "mend the file, then: cumulet policy check", MODES) for one in problems]
