"""All of it as root of a user namespace only: nobody on the machine, in a world that ends with its first process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cumulet.drivers.network.linux.sandbox import rootless
from cumulet.lib import process

pytestmark = pytest.mark.root

STORY = Path(__file__).parents[2] / "support" / "network" / "rootless_story.py"


async def test_networks_are_made_without_root(tmp_path: Path) -> None:
    done = await process.run(
        rootless([sys.executable, str(STORY), str(tmp_path)]),
        timeout=60,
        env={"PYTHONPATH": str(Path(__file__).parents[3] / "src") + ":" + str(Path(__file__).parents[3])},
    )
    came = ["rootless", "filtered", "told", "10.0.0.10", "reached", "undisturbed", "explained"]
    assert done.stdout.decode().split() == came
