"""The ledgers of what each room offers, and of where it is known to differ from its contract."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import cumulet.services


@cache
def ledger(room: str) -> dict[str, Any]:
    """A room's `coverage.toml`."""
    folder = Path(cumulet.services.__path__[0]) / room
    return tomllib.loads((folder / "coverage.toml").read_text())


def unknown(room: str, operation: str, differences: list[str]) -> list[str]:
    """The differences that the ledger does not name: as `OPERATION PLACE WHAT`, or with `*` for any operation."""
    known = ledger(room).get("differences", {})
    return [one for one in differences if f"{operation} {one}" not in known and f"* {one}" not in known]
