"""May this user authenticate? Locks, inactivity and expiry, as pure questions about his row."""

from __future__ import annotations

from cumulet.lib.clock import SECOND
from cumulet.services.identity.settings import Settings
from cumulet.services.identity.users.row import UserRow

DAY = 24 * 3600 * SECOND


def is_locked(user: UserRow, settings: Settings, now: int) -> bool:
    """Too many wrong passwords in a row, not long enough ago."""
    if not settings.lockout_attempts or user.chosen.get("ignore_lockout_failure_attempts"):
        return False
    return user.failures >= settings.lockout_attempts and now < user.failed_at + settings.lockout_seconds * SECOND


def is_inactive(user: UserRow, settings: Settings, now: int) -> bool:
    """Not seen for so long that the account counts as disabled."""
    if not settings.inactive_days or user.chosen.get("ignore_user_inactivity") or not user.active_at:
        return False
    return now - user.active_at > settings.inactive_days * DAY


def is_password_expired(user: UserRow, now: int) -> bool:
    return bool(user.password_expires_at) and user.password_expires_at <= now


def has_to_add_up(user: UserRow) -> list[list[str]]:
    """The combinations of methods of which one must be complete; empty: one method is enough."""
    options = user.chosen
    rules: list[list[str]] = options.get("multi_factor_auth_rules") or []
    return rules if rules and options.get("multi_factor_auth_enabled", True) else []
