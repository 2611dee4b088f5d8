"""Every driver of volumes, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.raw_volumes import RawBackend
from tests.support.volume_drivers import DRIVERS, RBD, Backend, OneImage, begun


@pytest.fixture(params=["fake", *DRIVERS, "iscsi", RBD])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    if request.param in ("iscsi", "rbd"):
        cluster = request.getfixturevalue("cluster") if request.param == "rbd" else None
        raw = RawBackend(tmp_path, OneImage(tmp_path), cluster)
        yield raw
        await raw.close()
        return
    async with begun(request.param, tmp_path) as made:
        yield made
