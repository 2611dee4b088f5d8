"""Instants that clients send."""

from __future__ import annotations

from cumulet.lib.clock import parse_iso
from cumulet.services.identity.errors import InvalidValue


def future_instant(field: str, text: str | None, now: int) -> int:
    """The instant of a text, which must still come; 0 for none. Raises InvalidValue."""
    if not text:
        return 0
    try:
        instant = parse_iso(text)
    except (ValueError, OverflowError) as error:
        raise InvalidValue(f"{field}: {text[:64]!r} is no instant; write it like 2030-01-31T12:00:00Z.") from error
    if instant <= now:
        raise InvalidValue(f"{field}: {text[:64]} is past; give an instant that is still to come.")
    return instant
