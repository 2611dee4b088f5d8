"""The place that a token shall be good for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cumulet.core.db import Transaction
from cumulet.services.identity.assignments.row import PROJECT, role_ids
from cumulet.services.identity.auth.lookup import named_domain, named_project
from cumulet.services.identity.auth.proof import Proof
from cumulet.services.identity.delegations.rows import TrustRow
from cumulet.services.identity.errors import AuthenticationFailed, InvalidScope, NotAllowed
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.users.row import UserRow


@dataclass(frozen=True)
class Scope:
    """At most one of these; all empty is no scope."""

    project_id: str = ""
    domain_id: str = ""
    system: bool = False
    trust: TrustRow | None = None


async def scope_of(tx: Transaction, asked: Any, proof: Proof) -> Scope:
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
        return Scope() if asked is not None else await _default(tx, proof.user)
    place = wanted[places[0]]
    if "project" in wanted:
        return Scope(project_id=_found(await named_project(tx, place)).id)
    if "domain" in wanted:
        return Scope(domain_id=_found(await named_domain(tx, place)).id)
    if "system" in wanted:
        if not place.get("all"):
            raise InvalidScope('scope: the only system there is, is {"all": true}.')
        return Scope(system=True)
    return await _trust(tx, place["id"], proof)


def _found(row: ProjectRow | None) -> ProjectRow:
    if row is None:
        raise AuthenticationFailed
    return row


async def _default(tx: Transaction, user: UserRow) -> Scope:
    """The user's default project, if he may go there."""
    project = await tx.get(ProjectRow, id=user.default_project_id) if user.default_project_id else None
    if project is None or not project.enabled:
        return Scope()
    roles = await role_ids(tx, user.id, PROJECT, project.id, project.ancestors)
    return Scope(project_id=project.id) if roles else Scope()


async def _trust(tx: Transaction, trust_id: str, proof: Proof) -> Scope:
    trust = await tx.get(TrustRow, id=trust_id)
    if trust is None or trust.deleted_at or trust.trustee_id != proof.user.id:
        raise NotAllowed("There is no such trust for you.")
    return replace(Scope(project_id=trust.project_id), trust=trust)
