"""What the service promises of itself."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cumulet.services.identity import room as identity_room
from cumulet.services.identity.policies import DEFAULTS
from cumulet.services.identity.service import service
from tests.api.identity.cloud import Cloud


def plain(operations: object) -> set[str]:
    """Operations without the names of their path's parts."""
    return {re.sub(r"\{[^}]*\}", "{}", operation) for operation in operations}  # type: ignore[attr-defined]


def test_the_ledger_of_operations_is_true() -> None:
    folder = Path(identity_room.__file__).parent
    ledger = tomllib.loads((folder / "coverage.toml").read_text())
    served = plain(f"{e.method} /v3{e.path}" for e in service().endpoints())
    served |= plain(f"{e.method} {e.path}" for e in service().roots)
    served |= {operation.replace("GET ", "HEAD ") for operation in served if operation.startswith("GET ")}
    assert plain(ledger["done"]) <= served
    assert not plain(ledger["todo"]) & served
    assert not plain(ledger["exempt"]) & served
    assert len(ledger["done"]) + len(ledger["todo"]) + len(ledger["exempt"]) == 368


def test_every_rule_that_is_asked_exists() -> None:
    folder = Path(identity_room.__file__).parent
    asked: set[str] = set()
    for file in folder.rglob("*.py"):
        asked |= set(re.findall(r'RULE \+ "([a-z0-9_]+)"', file.read_text()))
    assert asked
    assert {f"identity:{name}" for name in asked} <= set(DEFAULTS)


@pytest.mark.db
async def test_retired_addresses_say_so(cloud: Cloud) -> None:
    await cloud.nobody().get("/OS-SIMPLE-CERT/ca", 410)
    await cloud.nobody().get("/auth/tokens/OS-PKI/revoked", 401)
    await (await cloud.admin()).get("/auth/tokens/OS-PKI/revoked", 410)
