"""One simulated cloud for all the official clients of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.openstack_shell import OpenStackShell, openstack_shell
from tests.support.running_cloud import RunningCloud, running_cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as started:
        yield started


@pytest.fixture(scope="session")
async def openstack(cloud: RunningCloud) -> AsyncIterator[OpenStackShell]:
    async with openstack_shell(cloud.environment()) as shell:
        yield shell
