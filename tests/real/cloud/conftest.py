"""One cloud with real machines for all stories of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openstack.connection import Connection

from tests.support.real_cloud import Cloud, real_cloud


@pytest.fixture(scope="package")
def cloud() -> Iterator[Cloud]:
    with real_cloud() as running:
        yield running


@pytest.fixture
def client(cloud: Cloud) -> Connection:
    return cloud.client()
