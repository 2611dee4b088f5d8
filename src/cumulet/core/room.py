"""What every room stands on."""

from __future__ import annotations

from dataclasses import dataclass

from cumulet.core.access.rules import Rules
from cumulet.core.bus import Bus
from cumulet.core.db import Database
from cumulet.lib.clock import Clock


@dataclass(kw_only=True)
class Room:
    """A service's surroundings, given at start; each room adds the doors of the neighbours it calls."""

    database: Database
    bus: Bus
    clock: Clock
    rules: Rules
    region: str = "RegionOne"
