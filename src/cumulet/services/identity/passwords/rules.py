"""What the operator demands of a new password, and when it ends."""

from __future__ import annotations

import re

from cumulet.core.db import Transaction
from cumulet.lib.ids import new_hex
from cumulet.services.identity.auth.standing import DAY
from cumulet.services.identity.errors import PasswordRefused
from cumulet.services.identity.settings import Settings
from cumulet.services.identity.users.row import OldPasswordRow, UserRow


def check_strength(password: str, settings: Settings) -> None:
    """Raise PasswordRefused for a password that the operator's pattern does not match."""
    if settings.password_regex and not re.match(settings.password_regex, password):
        wanted = settings.password_regex_description or "the operator's pattern"
        raise PasswordRefused(f"The password does not match the requirements: {wanted}.")


def check_age(user: UserRow, settings: Settings, now: int) -> None:
    """Raise PasswordRefused when the password was changed so lately that it may not be changed again."""
    if settings.password_min_age_days and now < user.password_at + settings.password_min_age_days * DAY:
        raise PasswordRefused(
            f"The password was changed less than {settings.password_min_age_days} day(s) ago. Try again later, or ask "
            "an administrator to reset it."
        )


def end_of(options: dict[str, object], settings: Settings, now: int, *, chosen_by_owner: bool) -> int:
    """When a password that is set now expires; 0: never."""
    first_use = settings.change_password_upon_first_use and not options.get("ignore_change_password_upon_first_use")
    if first_use and not chosen_by_owner:
        return now
    if not settings.password_days or options.get("ignore_password_expiry"):
        return 0
    return now + settings.password_days * DAY


async def recent_hashes(tx: Transaction, user: UserRow, count: int) -> list[str]:
    """The hashes of a user's last passwords, the present one among them."""
    if not count:
        return []
    old = await tx.find(OldPasswordRow, order_by="-set_at", limit=count, user_id=user.id)
    return [user.password, *(row.password for row in old)][:count]


async def remember(tx: Transaction, user: UserRow, settings: Settings) -> None:
    """Keep the hash of the password that is about to be replaced, as long as it may not be used again."""
    if settings.password_history and user.password:
        await tx.insert(OldPasswordRow(new_hex(), user.id, user.password, user.password_at))
        old = await tx.find(OldPasswordRow, order_by="-set_at", user_id=user.id)
        if surplus := [row.id for row in old[settings.password_history :]]:
            await tx.delete(OldPasswordRow, id=surplus)
