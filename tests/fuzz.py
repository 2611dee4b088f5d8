"""A long look at every endpoint: `python -m tests.fuzz --minutes 10 --seed 5 compute network`.

The same seed asks the same questions in the same order; what is wrong is printed as it is found.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from tests.support import contract
from tests.support.asking import Fault, furnished
from tests.support.target import ROOMS

ROUND = 10
"""Questions to an endpoint before the next one has its turn."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all rooms together")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)}; all unless named")
    given = parser.parse_args()
    strange = set(given.rooms) - set(ROOMS)
    if strange:
        parser.error(f"there is no room {', '.join(sorted(strange))}")
    rooms = given.rooms or ROOMS
    if contract.place() is None:
        print("The contracts are not on this machine; CUMULET_CONTRACTS names their folder.", file=sys.stderr)
        return 2
    logging.disable(logging.CRITICAL)
    print(f"seed {given.seed}")
    return int(sum(ask(room, given.seed, 60 * given.minutes / len(rooms)) for room in rooms) > 0)


def ask(room: str, seed: int, seconds: float) -> int:
    """How many endpoints of a room were found at fault."""
    end, asked = time.monotonic() + seconds, 0
    guilty: set[str] = set()
    with tempfile.TemporaryDirectory() as folder, furnished(room, Path(folder), seed) as asker:
        start, all_served = asker.target.state(), asker.served()
        for turn in count():
            for served in all_served:
                for n in range(ROUND):
                    if time.monotonic() > end:
                        print(f"{room}: {asked} questions to {len(all_served)} endpoints, {len(guilty)} at fault")
                        return len(guilty)
                    asker.target.restore(start)
                    choice = random.Random(f"{seed} {served.name} {turn} {n}")
                    asked += 1
                    try:
                        asker.check(asker.question(choice, served), served)
                    except Fault as fault:
                        if served.name not in guilty:
                            print(f"{room}: {fault}", flush=True)
                        guilty.add(served.name)
    raise AssertionError("time does not end")


if __name__ == "__main__":
    sys.exit(main())
