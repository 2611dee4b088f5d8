"""A real directory (OpenLDAP)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import Directory, openldap


@pytest.fixture(scope="session")
def directory() -> Iterator[Directory]:
    with openldap() as running:
        yield running
