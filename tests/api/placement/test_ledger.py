"""The ledgers tell the truth: of operations, and of microversions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from cumulet.services.placement import room as placement_room
from cumulet.services.placement.service import service
from cumulet.services.placement.versions import EARLIEST, LATEST, LEDGER


def test_the_ledger_of_operations_is_true() -> None:
    ledger = tomllib.loads((Path(placement_room.__file__).parent / "coverage.toml").read_text())
    manifest = service()
    served = {f"{e.method} {re.sub(r'{[^}]*}', '{}', e.path)}" for e in [*manifest.endpoints(), *manifest.roots]}
    plain = {name: {re.sub(r"{[^}]*}", "{}", operation) for operation in ledger[name]} for name in ("done", "todo")}
    assert plain["done"] == served
    assert not plain["todo"] & served
    assert len(ledger["done"]) + len(ledger["todo"]) == 36


def test_the_ledger_of_versions_has_no_gap() -> None:
    assert list(LEDGER) == [f"1.{minor}" for minor in range(40)]
    assert (EARLIEST, LATEST) == ("1.0", "1.39")
    for endpoint in service().endpoints():
        assert not endpoint.since or endpoint.since in LEDGER
