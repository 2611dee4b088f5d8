"""What placement stands on."""

from __future__ import annotations

from dataclasses import dataclass

from cumulet.core.room import Room


@dataclass(kw_only=True)
class Placement(Room):
    """The placement service's room."""
