"""Checks of a cloud that is there already: its database, its nodes, its policy files."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import NodeFacts
from cumulet.core.access.policy_file import PolicyFileError
from cumulet.core.db import Database, Query
from cumulet.core.db.connect import connect
from cumulet.programs import policy
from cumulet.programs.doctor.finding import MODES, Finding
from cumulet.programs.settings import Settings

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
        return [Finding("Database", True, opened.backend.dialect), *await _nodes(opened)]
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
