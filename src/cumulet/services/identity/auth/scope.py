"""The place that a token shall be good for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from cumulet.core.db import Transaction
from cumulet.services.identity.assignments.row import PROJECT, role_ids
from cumulet.services.identity.auth.lookup import Words, named_domain, named_project
from cumulet.services.identity.auth.proof import Proof
from cumulet.services.identity.delegations.rows import TrustRow
from cumulet.services.identity.errors import AuthenticationFailed, InvalidScope, NotAllowed
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.row import UserRow


@dataclass(frozen=True)
class Scope:
    """At most one of these; all empty is no scope."""

    project_id: str = ""
    domain_id: str = ""
    system: bool = False
    trust: TrustRow | None = None


async def scope_of(room: Identity, asked: Any, proof: Proof) -> Scope:
    """What was asked for, or what the proof is bound to, or the user's default project.

    Raises AuthenticationFailed for places that are not there: who may not go there need not know.
    """
    if isinstance(asked, str) and asked != "unscoped":
        raise InvalidScope('scope: give an object with project, domain, system or OS-TRUST:trust, or "unscoped".')
    wanted: dict[str, Any] = asked if isinstance(asked, dict) else {}
    places = [name for name in ("project", "domain", "system", "OS-TRUST:trust") if name in wanted]
    if len(places) > 1:
        raise InvalidScope(f"scope: give one place, not {' and '.join(places)}.")
    if proof.project_id:
        if places and not (places == ["project"] and wanted["project"].get("id") == proof.project_id):
            raise AuthenticationFailed
        return Scope(project_id=proof.project_id)
    if not places:
        return Scope() if asked is not None else await _default(room, proof.user)
    place = wanted[places[0]]
    if "project" in wanted:
        return Scope(project_id=await _id_of(room, place, named_project))
    if "domain" in wanted:
        return Scope(domain_id=await _id_of(room, place, named_domain))
    if "system" in wanted:
        if not place.get("all"):
            raise InvalidScope('scope: the only system there is, is {"all": true}.')
        return Scope(system=True)
    return await _trust(room, place["id"], proof)


async def _id_of(
    room: Identity, words: Words, named: Callable[[Transaction, Words], Awaitable[ProjectRow | None]]
) -> str:
    """The id of the place that is meant, remembered for this generation: renaming or ending a place begins another.

    What is not there is not remembered, nor is a domain taken for a project: a project may come under that name.
    """
    domain = words.get("domain") or {}
    key = (named, words.get("id"), words.get("name"), domain.get("id"), domain.get("name"))
    known = room.places.get(key)
    if known is not None:
        return known
    generation = room.generation.number
    async with room.database.read() as tx:
        row = await named(tx, words)
    if row is None:
        raise AuthenticationFailed
    if named is named_domain or not row.is_domain:
        room.places.put(key, row.id, generation)
    return row.id


async def _default(room: Identity, user: UserRow) -> Scope:
    """The user's default project, if he may go there."""
    async with room.database.read() as tx:
        project = await tx.get(ProjectRow, id=user.default_project_id) if user.default_project_id else None
        if project is None or not project.enabled:
            return Scope()
        roles = await role_ids(tx, user.id, PROJECT, project.id, project.ancestors)
    return Scope(project_id=project.id) if roles else Scope()


async def _trust(room: Identity, trust_id: str, proof: Proof) -> Scope:
    async with room.database.read() as tx:
        trust = await tx.get(TrustRow, id=trust_id)
    if trust is None or trust.deleted_at or trust.trustee_id != proof.user.id:
        raise NotAllowed("There is no such trust for you.")
    return replace(Scope(project_id=trust.project_id), trust=trust)
