"""Authentication by password."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.identity.auth.lookup import named_user
from cumulet.services.identity.auth.proof import Proof
from cumulet.services.identity.auth.standing import is_inactive, is_locked, is_password_expired
from cumulet.services.identity.directories.looking import accepts, look_again, look_up
from cumulet.services.identity.errors import AccountUnusable, AuthenticationFailed
from cumulet.services.identity.projects.row import domain_of
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.row import UserRow


async def by_password(room: Identity, given: dict[str, Any]) -> Proof:
    """The user whose password this is. Raises AuthenticationFailed."""
    words = await look_up(room, given["user"])
    async with room.database.read() as tx:
        user = await named_user(tx, words)
    await check_password(room, user, words["password"])
    assert user is not None
    if is_password_expired(user, room.clock.now()):
        raise AccountUnusable(
            f"The password is expired and needs to be changed for user: {user.id}. "
            f"Change it with the old one at POST /v3/users/{user.id}/password."
        )
    return Proof(user, ("password",))


async def check_password(room: Identity, user: UserRow | None, password: str) -> None:
    """Raise AuthenticationFailed unless it is the password of a user in good standing.

    The hash is computed in every case, and before anything else is decided, so that the time tells nothing. Whose
    users are kept in a directory leaves the question to that.
    """
    right = await accepts(room, user, password) if user else None
    if right is None:
        right = await room.hasher.check(password, user.password if user else "")
    now = room.clock.now()
    if user is None or is_locked(user, room.settings, now):
        raise AuthenticationFailed
    if not right:
        await count_failure(room, user)
        raise AuthenticationFailed
    await check_standing(room, user)
    await note_success(room, user)


async def check_standing(room: Identity, user: UserRow) -> None:
    """Raise AuthenticationFailed for a user who, or whose domain, may not be used."""
    changed = await look_again(room, [user])
    async with room.database.read() as tx:
        if changed:
            user = await tx.get(UserRow, id=user.id) or msgspec.structs.replace(user, enabled=False)
        domain = await domain_of(tx, user.domain_id)
    if not user.enabled or domain is None or not domain.enabled or is_inactive(user, room.settings, room.clock.now()):
        raise AuthenticationFailed


async def count_failure(room: Identity, user: UserRow) -> None:
    """One more wrong guess; enough of them lock the account."""
    if not room.settings.lockout_attempts:
        return
    now = room.clock.now()

    async def write(tx: Transaction) -> None:
        current = await tx.get(UserRow, id=user.id)
        if current:
            was_locked = current.failures >= room.settings.lockout_attempts  # and the lock has ended: count anew
            await tx.update(UserRow, {"id": user.id}, failures=1 if was_locked else current.failures + 1, failed_at=now)

    await room.database.write(write)


async def note_success(room: Identity, user: UserRow) -> None:
    """He has been here: wrong guesses are forgotten, and the account counts as used."""
    values: dict[str, int] = {"failures": 0, "failed_at": 0} if user.failures else {}
    if room.settings.inactive_days and user.active_at:  # a directory counts for itself
        values["active_at"] = room.clock.now()
    if values:
        await room.database.write(lambda tx: tx.update(UserRow, {"id": user.id}, **values))
