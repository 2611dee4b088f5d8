"""What every hypervisor promises, the pretended one and the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.hypervisors.doors import tcg
from tests.support.hypervisors.fake import FakeWorld
from tests.support.hypervisors.qemu import QemuWorld
from tests.support.hypervisors.worlds import World


@pytest.fixture(params=["fake", pytest.param("qemu", marks=pytest.mark.root)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    made: World = FakeWorld() if request.param == "fake" else QemuWorld(await tcg())
    yield made
    await made.close()
