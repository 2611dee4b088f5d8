"""What a process may act on. A node and a cloud of one process own everything; see `leases.py` for the rest."""

from __future__ import annotations

from typing import Protocol


class Shards(Protocol):
    """Tells whether this process looks after a key."""

    def owns(self, key: str) -> bool: ...


class EveryShard:
    """The shards of a process that shares its keys with nobody."""

    def owns(self, key: str) -> bool:
        return True
