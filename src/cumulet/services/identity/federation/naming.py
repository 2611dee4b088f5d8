"""The ids that operators choose in a path."""

from __future__ import annotations

from cumulet.services.identity.errors import InvalidValue

LONGEST = 64


def chosen_id(text: str) -> str:
    """An id as it can be kept and addressed again. Raises InvalidValue."""
    if not text.strip() or len(text) > LONGEST or "/" in text or not text.isprintable():
        raise InvalidValue(f"id: 1 to {LONGEST} printable characters without a slash.")
    return text
