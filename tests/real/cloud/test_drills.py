"""What three nodes promise together, by the drills that anybody can run: those that take a minute and show most."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drills.catalogue import DRILLS
from tests.drills.drill import Drill, Scene
from tests.support.real_rack import Rack, real_rack

pytestmark = pytest.mark.root

CHOSEN = ("moving", "standby", "unheard-node", "killed")
OPERATIONS = 40


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    with real_rack(3, street=True) as rack:
        yield rack


@pytest.mark.parametrize("drill", [drill for drill in DRILLS if drill.name in CHOSEN], ids=lambda drill: drill.name)
def test_a_drill(rack: Rack, drill: Drill) -> None:
    drill.run(Scene(rack, OPERATIONS))
