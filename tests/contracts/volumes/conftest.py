"""Every driver of volumes, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.volume_drivers import DRIVERS, Backend, begun


@pytest.fixture(params=["fake", *DRIVERS])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    async with begun(request.param, tmp_path) as made:
        yield made
