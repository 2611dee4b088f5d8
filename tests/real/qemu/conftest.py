"""What only real machines can show."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.hypervisors.doors import tcg
from tests.support.hypervisors.qemu import QemuWorld


@pytest.fixture
async def world() -> AsyncIterator[QemuWorld]:
    made = QemuWorld(await tcg())
    yield made
    await made.close()
