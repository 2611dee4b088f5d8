"""Identifiers: how they are made and recognised."""

from __future__ import annotations

import re
import uuid

_DASHED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)
_PLAIN = re.compile(r"[0-9a-f]{32}\Z", re.IGNORECASE)


def new_uuid() -> str:
    """A random id with dashes, as most services use."""
    return str(uuid.uuid4())


def new_hex() -> str:
    """A random id without dashes, as identity uses."""
    return uuid.uuid4().hex


def request_id() -> str:
    return f"req-{uuid.uuid4()}"


def is_uuid(text: str) -> bool:
    """With dashes or without."""
    return bool(_DASHED.match(text) or _PLAIN.match(text))
