"""What the maker of a volume says of where it should be: near a server, beside volumes, or apart from some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from cumulet.lib.ids import is_uuid
from cumulet.services.block_storage.errors import InvalidInput

SAME, DIFFERENT, LOCAL_TO = "same_host", "different_host", "local_to_instance"
_MOST = 100

Hints = Mapping[str, Sequence[str]]
NO_HINTS: Hints = MappingProxyType({})


def read(given: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """The hints that mean something here; others are for schedulers of other clouds. Raises InvalidInput."""
    found = {}
    for name in (SAME, DIFFERENT, LOCAL_TO):
        value = (given or {}).get(name)
        ids = [value] if isinstance(value, str) else value or []
        if not isinstance(ids, list) or len(ids) > _MOST or not all(isinstance(id, str) and is_uuid(id) for id in ids):
            raise InvalidInput(f"scheduler_hints: {name} must be an id, or a list of at most {_MOST} ids")
        if ids:
            found[name] = ids
    return found
