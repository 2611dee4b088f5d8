"""Worlds of namespaces, each gone without a trace when its test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio

from tests.support.network.worlds import LinuxWorld

MakeWorld = Callable[..., LinuxWorld]


@pytest_asyncio.fixture
async def make_world(tmp_path: Path) -> AsyncIterator[MakeWorld]:
    made: list[LinuxWorld] = []

    def make(**options: object) -> LinuxWorld:
        made.append(LinuxWorld(tmp_path, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for world in made:
        await world.stop()


@pytest_asyncio.fixture
async def world(make_world: MakeWorld) -> LinuxWorld:
    return make_world()
