"""Servers that several suites of this folder speak to, each started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.ceph import Ceph, ceph
from tests.support.s3_server import begin_anew, s3_server


@pytest.fixture(scope="session")
def s3_running() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(scope="session")
def cluster() -> Iterator[Ceph]:
    with ceph() as found:
        yield found


@pytest.fixture
def s3(s3_running: str) -> str:
    """The URL of an S3 server with one empty bucket."""
    begin_anew(s3_running)
    return s3_running
