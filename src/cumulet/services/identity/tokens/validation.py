"""From a token's text to what is true of it now: everything a token does not say itself is looked up."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cumulet.core.access.caller import Caller
from cumulet.core.db import Transaction
from cumulet.lib.clock import SECOND
from cumulet.services.identity.assignments.row import ALL, DOMAIN, PROJECT, SYSTEM, role_ids
from cumulet.services.identity.directories.looking import look_again
from cumulet.services.identity.errors import TokenNotFound
from cumulet.services.identity.federation.memberships import lasting
from cumulet.services.identity.federation.rows import ProtocolRow
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.roles.row import RoleBook, RoleRow, read_book
from cumulet.services.identity.room import Identity
from cumulet.services.identity.tokens.cache import digest
from cumulet.services.identity.tokens.delegation import Delegation, Void, delegation_of
from cumulet.services.identity.tokens.payload import Token, Unreadable
from cumulet.services.identity.tokens.revocations import EpochRow, is_revoked
from cumulet.services.identity.users.row import UserRow

EPOCH_SECONDS = 1


@dataclass(frozen=True)
class Place:
    """A project or domain, with its domain."""

    row: ProjectRow
    domain: ProjectRow


@dataclass(frozen=True)
class Standing:
    """What is true of every token of a user for one place."""

    user: UserRow
    involved: tuple[UserRow, ...]
    """All whose standing it depends on: the user, and who lent him his roles."""
    user_domain: ProjectRow
    place: Place | None
    roles: tuple[RoleRow, ...]
    delegation: Delegation | None
    until: int = 0
    """From then on it has to be looked up again, since some of the roles came by a group that ends; 0: not so."""

    def holds(self, now: int) -> bool:
        return not self.until or now < self.until


@dataclass(frozen=True)
class Valid:
    """A token and what is true of it."""

    token: Token
    standing: Standing
    caller: Caller


async def validate(room: Identity, text: str, *, grace: int = 0) -> Valid:
    """What is true of a token. `grace` seconds after its end it is still taken. Raises TokenNotFound."""
    await notice_other_processes(room)
    key = digest(text)
    now = room.clock.now()
    generation = room.generation.number
    found = room.valid.get(key)
    if found is None or not found.standing.holds(now):
        found = await _look(room, text, now - grace * SECOND)
        room.valid.put(key, found, generation)
    if found.token.expires_at <= now - grace * SECOND:
        raise TokenNotFound("The token has expired. Authenticate again.")
    if await look_again(room, found.standing.involved):
        return await validate(room, text, grace=grace)
    return found


async def notice_other_processes(room: Identity) -> None:
    """At most once a second, see whether another process changed what tokens depend on."""
    now = room.clock.now()
    if now - room.epoch_read_at < EPOCH_SECONDS * SECOND:
        return
    room.epoch_read_at = now
    if room.tokens.turned():
        room.generation.renew()
    if room.database.backend.dialect == "sqlite":
        return  # one process serves such a database
    async with room.database.read() as tx:
        row = await tx.get(EpochRow, name="tokens")
    if row and row.number != room.epoch:
        room.epoch = row.number
        room.generation.renew()


async def _look(room: Identity, text: str, now: int) -> Valid:
    try:
        token = await room.tokens.unseal(text)
    except Unreadable as error:
        raise TokenNotFound("The token is not one of ours.") from error
    if token.expires_at <= now:
        raise TokenNotFound("The token has expired. Authenticate again.")
    try:
        return await resolve(room, token, digest(text).hex())
    except Void as reason:
        raise TokenNotFound(f"The token is void: {reason}.") from reason


async def roles_known(room: Identity) -> RoleBook:
    """The role book of this generation."""

    async def read() -> RoleBook:
        async with room.database.read() as tx:
            return await read_book(tx)

    return await room.kept.get("roles", read)


async def resolve(room: Identity, token: Token, token_id: str = "", *, parent: Token | None = None) -> Valid:
    """Look up what a token depends on. Raises Void when it gives no right to anything any more.

    A token that is being made of a `parent` is younger than every revocation, so that one is asked for: another process
    may have revoked it a moment ago, and what is remembered here does not know it yet.
    """
    standing = await standing_of(room, token)
    domain_ids = [standing.user_domain.id, *([standing.place.domain.id] if standing.place and not parent else [])]
    async with room.database.read() as tx:
        if await is_revoked(tx, parent or token, domain_ids):
            raise Void("it was revoked")
    return Valid(token, standing, _caller(token, standing, token_id))


async def standing_of(room: Identity, token: Token) -> Standing:
    """What holds for this token as for all others of its user for its place; looked up once in each generation.

    A delegation may end by itself, so what depends on one is looked up each time. Raises Void.
    """
    key = (
        token.user_id, token.project_id, token.domain_id, token.system,
        token.provider_id, token.protocol_id, token.group_ids,
    )  # fmt: skip
    now, generation = room.clock.now(), room.generation.number
    known = None if token.is_delegated else room.standings.get(key)
    if known is not None and known.holds(now):
        return known
    standing = await _read_standing(room, token, now)
    if not token.is_delegated:
        room.standings.put(key, standing, generation)
    return standing


async def _read_standing(room: Identity, token: Token, now: int) -> Standing:
    book = await roles_known(room)
    async with room.database.read() as tx:
        delegation = await delegation_of(tx, token, now)
        user, involved = await _user(tx, token, delegation)
        ids = {user.domain_id, token.project_id, token.domain_id} - {""}
        rows = {row.id: row for row in await tx.find(ProjectRow, id=list(ids))}
        user_domain = rows.get(user.domain_id)
        if user_domain is None or not user_domain.enabled:
            raise Void("its user's domain is gone or disabled")
        place = await _place(tx, token, rows)
        if token.provider_id and not await tx.get(ProtocolRow, idp_id=token.provider_id, id=token.protocol_id):
            raise Void("nobody vouches for its user any more")
        brought = await lasting(tx, delegation.grantor_id if delegation else token.user_id, now)
        roles = await _roles(tx, token, place, delegation, book, brought)
    until = min(brought.values(), default=0)
    return Standing(user, involved, user_domain, place, tuple(roles), delegation, until)


async def _user(tx: Transaction, token: Token, delegation: Delegation | None) -> tuple[UserRow, tuple[UserRow, ...]]:
    """Who appears as the actor, and all who are involved: whoever holds the token, and whoever lent it its roles. They
    must be in good standing.
    """
    involved = {token.user_id} | ({delegation.grantor_id, delegation.acts_as} if delegation else set())
    users = {user.id: user for user in await tx.find(UserRow, id=list(involved))}
    if any(id_ not in users or not users[id_].enabled for id_ in involved):
        raise Void("its user is gone or disabled")
    return users[delegation.acts_as if delegation else token.user_id], tuple(users.values())


async def _place(tx: Transaction, token: Token, rows: dict[str, ProjectRow]) -> Place | None:
    id_ = token.project_id or token.domain_id
    if not id_:
        return None
    row = rows.get(id_)
    if row is None or not row.enabled or (token.domain_id and not row.is_domain):
        raise Void("its project or domain is gone or disabled")
    domain = row if row.is_domain else rows.get(row.domain_id) or await tx.get(ProjectRow, id=row.domain_id)
    if domain is None or not domain.enabled:
        raise Void("its project's domain is gone or disabled")
    return Place(row, domain)


async def roles_at(
    tx: Transaction, user_id: str, token: Token, place: Place | None, book: RoleBook, brought: Collection[str] = ()
) -> list[RoleRow]:
    """The roles of a user in a token's scope; `brought` are groups that logins gave him for a while."""
    groups = [*token.group_ids, *brought]
    if token.system:
        found = await role_ids(tx, user_id, SYSTEM, ALL, groups=groups)
    elif place and token.domain_id:
        found = await role_ids(tx, user_id, DOMAIN, place.row.id, groups=groups)
    elif place:
        found = await role_ids(tx, user_id, PROJECT, place.row.id, place.row.ancestors, groups)
    else:
        return []
    return book.in_token(found)


async def _roles(
    tx: Transaction,
    token: Token,
    place: Place | None,
    delegation: Delegation | None,
    book: RoleBook,
    brought: Collection[str],
) -> list[RoleRow]:
    if not place and not token.system:
        return []
    grantor = delegation.grantor_id if delegation else token.user_id
    roles = await roles_at(tx, grantor, token, place, book, brought)
    if delegation:
        # What was delegated, as far as he who delegated it still has it himself.
        held = {role.id for role in roles}
        if delegation.all_roles and not set(delegation.role_ids) <= held:
            raise Void("he who delegated its roles has lost some of them")
        roles = [role for role in book.in_token(set(delegation.role_ids)) if role.id in held]
    if not roles:
        raise Void("its user has no role there")
    return roles


def _caller(token: Token, standing: Standing, token_id: str) -> Caller:
    user, place, delegation = standing.user, standing.place, standing.delegation
    project = place if token.project_id else None
    about: dict[str, Any] = {"user": {"id": user.id, "domain": {"id": standing.user_domain.id}}}
    if project:
        about["project"] = {"id": project.row.id, "domain": {"id": project.domain.id}}
    elif place:
        about["domain"] = {"id": place.row.id}
    facts: dict[str, Any] = {
        "token": about,
        "methods": token.methods,
        "is_domain": bool(project and project.row.is_domain),
        "trust_id": token.trust_id or None,
        "application_credential_id": token.application_credential_id or None,
        "group_ids": token.group_ids,
    }
    if delegation:
        facts |= delegation.facts
    return Caller(
        user_id=user.id,
        user_name=user.name,
        user_domain_id=user.domain_id,
        project_id=token.project_id,
        project_name=project.row.name if project else "",
        project_domain_id=project.domain.id if project else "",
        domain_id=token.domain_id,
        system=token.system,
        roles=tuple(role.name for role in standing.roles),
        token_id=token_id,
        expires_at=token.expires_at,
        audit_id=token.audit_ids[0],
        facts=facts,
    )
