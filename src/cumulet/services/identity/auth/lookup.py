"""Whom and which place the words of a request mean."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.services.identity.errors import InvalidScope
from cumulet.services.identity.projects.row import ProjectRow, domain_of
from cumulet.services.identity.users.row import UserRow

Words = dict[str, Any]


async def named_domain(tx: Transaction, words: Words | None) -> ProjectRow | None:
    """The domain of an id or a name. Raises InvalidScope without either."""
    if words and words.get("id"):
        return await domain_of(tx, words["id"])
    if words and words.get("name"):
        return await tx.get(ProjectRow, domain_id="", name=words["name"])
    raise InvalidScope("Expecting to find id or name in domain. Names are unique only within a domain: name it too.")


async def named_user(tx: Transaction, words: Words) -> UserRow | None:
    """The user of an id, or of a name in a domain."""
    if words.get("id"):
        return await tx.get(UserRow, id=words["id"])
    if not words.get("name"):
        raise InvalidScope("Expecting to find id or name in user.")
    domain = await named_domain(tx, words.get("domain"))
    return await tx.get(UserRow, domain_id=domain.id, name=words["name"], shadow="") if domain else None


async def named_project(tx: Transaction, words: Words) -> ProjectRow | None:
    """The project of an id, or of a name in a domain."""
    if words.get("id"):
        return await tx.get(ProjectRow, id=words["id"])
    if not words.get("name"):
        raise InvalidScope("Expecting to find id or name in project.")
    domain = await named_domain(tx, words.get("domain"))
    if domain is None:
        return None
    found = await tx.get(ProjectRow, domain_id=domain.id, name=words["name"])
    # A domain may be meant as the project that it also is.
    return found or (domain if domain.name == words["name"] else None)
