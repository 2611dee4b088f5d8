"""`python -m tests.drills NAME`: one drill in a rack of its own."""

from __future__ import annotations

import argparse
import sys

from tests.drills.catalogue import DRILLS
from tests.drills.drill import Scene
from tests.support.real_rack import NAMES, real_rack


def main() -> int:
    parser = argparse.ArgumentParser(prog="drill", description="Show what a cloud of several real nodes promises.")
    parser.add_argument("name", nargs="?", choices=[drill.name for drill in DRILLS])
    parser.add_argument("--list", action="store_true", help="name all drills and what they show")
    parser.add_argument("--nodes", type=int, choices=range(2, len(NAMES) + 1), help="more than the drill needs")
    parser.add_argument("--operations", type=int, default=200, help="how many things people do")
    parser.add_argument("--seed", type=int, default=0, help="which things")
    options = parser.parse_args()
    if options.list or not options.name:
        for drill in DRILLS:
            print(f"{drill.name:14}{drill.shows}")
        return 0
    drill = next(drill for drill in DRILLS if drill.name == options.name)
    with real_rack(max(options.nodes or 0, drill.nodes), street=True) as rack:
        try:
            drill.run(Scene(rack, options.operations, options.seed))
        except Exception:
            print(rack.logs()[-20000:], file=sys.stderr)
            raise
    print(f"kept: {drill.shows}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
