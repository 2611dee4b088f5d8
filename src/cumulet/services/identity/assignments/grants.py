"""Granting and withdrawing roles: the same four verbs for users and groups, at projects, domains and the system."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.identity.assignments.row import ALL, DOMAIN, GROUP, PROJECT, SYSTEM, USER, AssignmentRow
from cumulet.services.identity.errors import Missing, NotAllowed
from cumulet.services.identity.groups.row import GroupRow
from cumulet.services.identity.projects.row import ProjectRow, project_of
from cumulet.services.identity.roles.resource import roles
from cumulet.services.identity.roles.row import RoleRow
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.row import UserRow

RULE = "identity:"
Run = Callable[[Identity, Call], Awaitable[Any]]


@dataclass(frozen=True)
class Grant:
    """One family of addresses: roles of a kind of actor at a kind of target, inherited or not."""

    kind: str
    actor: str
    inherited: bool = False

    @property
    def path(self) -> str:
        actor = f"/{self.actor}s/{{{self.actor}_id}}/roles"
        target = "/system" if self.kind == SYSTEM else f"/{self.kind}s/{{{self.kind}_id}}"
        return f"/OS-INHERIT{target}{actor}" if self.inherited else target + actor

    @property
    def end(self) -> str:
        return "/inherited_to_projects" if self.inherited else ""

    def rule(self, verb: str) -> str:
        """The name of the rule: those of the system differ, for users and for groups."""
        several = "s" if verb == "list" else ""
        end = f"system_grant{several}_for_{self.actor}" if self.kind == SYSTEM else f"grant{several}"
        return f"{RULE}{verb}_{end}"


@dataclass(frozen=True)
class Parties:
    """Who, where, and which role, as far as they exist."""

    actor: UserRow | GroupRow | None
    place: ProjectRow | None
    role: RoleRow | None

    def target(self, grant: Grant) -> dict[str, object]:
        """What a rule may ask about them."""
        about: dict[str, object] = {}
        if self.actor:
            about[grant.actor] = {"id": self.actor.id, "domain_id": self.actor.domain_id}
        if self.role:
            role = self.role
            about["role"] = {"id": role.id, "name": role.name, "domain_id": role.domain_id or None}
        if self.place and grant.kind == PROJECT:
            about["project"] = {"id": self.place.id, "domain_id": self.place.home}
        elif self.place:
            about["domain"] = {"id": self.place.id}
        return {"target": about}


async def _parties(room: Identity, call: Call, grant: Grant) -> Parties:
    row: type[UserRow] | type[GroupRow] = UserRow if grant.actor == USER else GroupRow
    async with room.database.read() as tx:
        actor = await tx.get(row, id=call.path[f"{grant.actor}_id"])
        place = await project_of(tx, call.path.get(f"{grant.kind}_id", ""))
        role = await tx.get(RoleRow, id=call.path["role_id"]) if "role_id" in call.path else None
    if place and grant.kind == DOMAIN and not place.is_domain:
        place = None
    return Parties(actor, place, role)


async def _admitted(room: Identity, call: Call, grant: Grant, verb: str, *, gone: bool = False) -> dict[str, Any]:
    """Where the assignment stands, when the rule allows it and all parties exist; `gone`: the actor need not."""
    parties = await _parties(room, call, grant)
    call.allow(grant.rule(verb), parties.target(grant))
    if parties.actor is None and not gone:
        raise Missing(f"Could not find {grant.actor}: {call.path[f'{grant.actor}_id'][:64]}.")
    if parties.place is None and grant.kind != SYSTEM:
        raise Missing(f"Could not find {grant.kind}: {call.path[f'{grant.kind}_id'][:64]}.")
    if parties.role is None and "role_id" in call.path:
        raise Missing(f"Could not find role: {call.path['role_id'][:64]}.")
    if verb == "create":
        _check_role(parties, grant)
    where = {
        "actor_id": call.path[f"{grant.actor}_id"],
        "target_id": parties.place.id if parties.place else ALL,
        "inherited": grant.inherited,
        "kind": grant.kind,
    }
    return where | ({"role_id": parties.role.id} if parties.role else {})


def _check_role(parties: Parties, grant: Grant) -> None:
    """A domain's own role is for the projects of that domain."""
    if parties.role and parties.role.domain_id:
        if grant.kind == SYSTEM:
            raise NotAllowed("A role of one domain cannot be granted in the system.")
        if grant.kind == PROJECT and parties.place and parties.place.home != parties.role.domain_id:
            raise NotAllowed("The role belongs to another domain.")


def _create(grant: Grant) -> Run:
    async def create(room: Identity, call: Call) -> None:
        where = await _admitted(room, call, grant, "create")

        async def write(tx: Transaction) -> None:
            if not await tx.get(AssignmentRow, **where):
                await tx.insert(AssignmentRow(actor=grant.actor, **where))

        try:
            await room.change(write)
        except Duplicate:
            return  # somebody else granted it at the same moment

    return create


def _check(grant: Grant) -> Run:
    async def check(room: Identity, call: Call) -> None:
        where = await _admitted(room, call, grant, "check")
        async with room.database.read() as tx:
            if not await tx.get(AssignmentRow, **where):
                raise _not_granted(where)

    return check


def _revoke(grant: Grant) -> Run:
    async def revoke(room: Identity, call: Call) -> None:
        where = await _admitted(room, call, grant, "revoke", gone=True)

        async def write(tx: Transaction) -> None:
            if not await tx.delete(AssignmentRow, **where):
                raise _not_granted(where)

        await room.change(write)

    return revoke


def _list(grant: Grant) -> Run:
    async def index(room: Identity, call: Call) -> dict[str, Any]:
        where = await _admitted(room, call, grant, "list")
        async with room.database.read() as tx:
            granted = await tx.find(AssignmentRow, **where)
            rows = await tx.find(RoleRow, order_by="name", id=[row.role_id for row in granted]) if granted else []
        url = f"{call.base}/{call.request.path.partition('/v3/')[2]}"
        return call.dialect.page(
            "roles", [roles.show_row(call, row) for row in rows], url=url, query=call.request.query, marker=""
        )

    return index


def _not_granted(where: dict[str, Any]) -> Missing:
    return Missing(
        f"Could not find role assignment with role: {where['role_id']}, user or group: {where['actor_id'][:64]}, "
        f"project, domain, or system: {where['target_id']}."
    )


def _endpoints(grant: Grant) -> list[Endpoint]:
    item = f"{grant.path}/{{role_id}}{grant.end}"
    found = [
        Endpoint("PUT", item, _create(grant), 204, name=grant.rule("create")),
        Endpoint("GET", item, _check(grant), 204, name=grant.rule("check")),
        Endpoint("DELETE", item, _revoke(grant), 204, name=grant.rule("revoke")),
    ]
    if not grant.inherited or grant.kind == DOMAIN:
        found.append(Endpoint("GET", grant.path + grant.end, _list(grant), name=grant.rule("list")))
    return found


GRANTS = (
    *(Grant(kind, actor) for kind in (PROJECT, DOMAIN, SYSTEM) for actor in (USER, GROUP)),
    *(Grant(kind, actor, inherited=True) for kind in (PROJECT, DOMAIN) for actor in (USER, GROUP)),
)
ROUTES = tuple(endpoint for grant in GRANTS for endpoint in _endpoints(grant))
