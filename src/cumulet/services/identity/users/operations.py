"""What may be done with users; the only code that writes their rows."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.lib.ids import new_hex
from cumulet.services.identity.assignments.row import AssignmentRow
from cumulet.services.identity.auth.password import check_password
from cumulet.services.identity.delegations.rows import TrustRow
from cumulet.services.identity.directories.looking import refuse_change, refuse_user_change
from cumulet.services.identity.errors import (
    AuthenticationFailed,
    InvalidValue,
    Missing,
    NameTaken,
    NotAllowed,
    PasswordRefused,
)
from cumulet.services.identity.federation.identities import write_identities
from cumulet.services.identity.passwords.rules import (
    check_age,
    check_strength,
    end_of,
    recent_hashes,
    remember,
)
from cumulet.services.identity.projects.row import domain_of, project_of
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.belongings import OWNED
from cumulet.services.identity.users.row import UserRow


async def create(room: Identity, wish: dict[str, Any], domain_id: str, extra: str, options: str) -> UserRow:
    """A new user of a domain."""
    await refuse_change(room, domain_id, "users")
    password = wish.get("password") or ""
    now = room.clock.now()
    row = UserRow(
        id=new_hex(),
        domain_id=domain_id,
        name=wish["name"].strip(),
        enabled=wish["enabled"],
        default_project_id=wish.get("default_project_id") or "",
        password="",
        password_at=now,
        password_expires_at=0,
        failures=0,
        failed_at=0,
        active_at=now,
        options=options,
        extra=extra,
        created_at=now,
        federated=_federated(wish),
    )
    if password:
        check_strength(password, room.settings)
        row.password = await room.hasher.hash(password)
        row.password_expires_at = end_of(row.chosen, room.settings, now, chosen_by_owner=False)

    async def write(tx: Transaction) -> None:
        domain = await domain_of(tx, domain_id)
        if domain is None:
            raise Missing(f"Could not find domain: {domain_id[:64]}.")
        await _check_default_project(tx, row.default_project_id)
        await tx.insert(row)
        await write_identities(tx, row.id, wish.get("federated", ()))

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise _taken(taken, row.name) from taken
    return row


async def update(room: Identity, row: UserRow, wish: dict[str, Any], extra: str, options: str) -> UserRow:
    """Change what was named. A new password or a disabled account makes the user's tokens void."""
    changed = wish.keys() - {"extra"} | ({"extra"} if extra != row.extra else set())
    await refuse_user_change(room, row.domain_id, changed)
    if wish.get("domain_id", row.domain_id) != row.domain_id:
        raise InvalidValue("domain_id: a user cannot move to another domain.")
    changes: dict[str, Any] = {"extra": extra, "options": options}
    if "name" in wish:
        changes["name"] = wish["name"].strip()
    if "enabled" in wish:
        changes["enabled"] = wish["enabled"]
        changes |= {"failures": 0, "active_at": room.clock.now()} if wish["enabled"] else {}
    if "default_project_id" in wish:
        changes["default_project_id"] = wish["default_project_id"] or ""
    if "federated" in wish:
        changes["federated"] = _federated(wish)
    password: str | None = wish.get("password")
    if password:
        check_strength(password, room.settings)
        now = room.clock.now()
        changes |= {
            "password": await room.hasher.hash(password),
            "password_at": now,
            "password_expires_at": end_of(row.chosen, room.settings, now, chosen_by_owner=False),
        }
    elif "password" in wish:
        changes["password"] = ""

    async def write(tx: Transaction) -> UserRow:
        current = await tx.get(UserRow, id=row.id)
        if current is None:
            raise Missing(f"Could not find user: {row.id}.")
        if "default_project_id" in wish:
            await _check_default_project(tx, changes["default_project_id"])
        if "password" in changes:
            await remember(tx, current, room.settings)
        await tx.update(UserRow, {"id": row.id}, **changes)
        if "federated" in wish:
            await write_identities(tx, row.id, wish["federated"])
        if "password" in changes or changes.get("enabled") is False:
            await room.revoke(tx, "user_id", row.id)
        changed = await tx.get(UserRow, id=row.id)
        assert changed is not None
        return changed

    try:
        return await room.change(write)
    except Duplicate as taken:
        raise _taken(taken, changes.get("name", row.name)) from taken


async def delete(room: Identity, row: UserRow) -> None:
    """Remove a user with everything that is his alone."""
    await refuse_change(room, row.domain_id, "users")

    async def write(tx: Transaction) -> None:
        await tx.delete(UserRow, id=row.id)
        for owned in OWNED:
            await tx.delete(owned, user_id=row.id)
        await tx.delete(AssignmentRow, actor_id=row.id)
        for side in ("trustor_id", "trustee_id"):
            await tx.update(TrustRow, {side: row.id, "deleted_at": 0}, deleted_at=room.clock.now())

    await room.change(write)


async def change_password(room: Identity, user_id: str, old: str, new: str) -> None:
    """A user takes a new password, which the old one allows him. All his tokens are void then."""
    async with room.database.read() as tx:
        row = await tx.get(UserRow, id=user_id)
    if row:
        await refuse_change(room, row.domain_id, "passwords")
    await check_password(room, row, old)
    if row is None:
        raise AuthenticationFailed
    if row.chosen.get("lock_password"):
        raise NotAllowed("The password of this account is locked; an administrator may reset it.")
    settings, now = room.settings, room.clock.now()
    check_strength(new, settings)
    check_age(row, settings, now)
    async with room.database.read() as tx:
        recent = await recent_hashes(tx, row, settings.password_history)
    if await room.hasher.is_any(new, recent):
        raise PasswordRefused(f"It must differ from the last {settings.password_history} passwords.")
    hashed = await room.hasher.hash(new)

    async def write(tx: Transaction) -> None:
        await remember(tx, row, settings)
        values = {
            "password": hashed,
            "password_at": now,
            "password_expires_at": end_of(row.chosen, settings, now, chosen_by_owner=True),
        }
        # Only over the password that was proved: of two changes at once, one wins and the other must prove again.
        if not await tx.update(UserRow, {"id": row.id, "password": row.password}, **values):
            raise AuthenticationFailed
        await room.revoke(tx, "user_id", row.id)

    await room.change(write)


async def _check_default_project(tx: Transaction, project_id: str) -> None:
    project = await project_of(tx, project_id)
    if project is not None and project.is_domain:
        raise InvalidValue("default_project_id: a domain cannot be somebody's default project.")


def _federated(wish: dict[str, Any]) -> str:
    return msgspec.json.encode(wish.get("federated", [])).decode()


def _taken(taken: Duplicate, name: str) -> NameTaken:
    if taken.index == "identity_federated_identities_name":
        return NameTaken("federated: another user has one of these names at this identity provider.")
    return NameTaken(f"Conflict occurred attempting to store user - Duplicate entry found with name {name}.")
